//! A Prometheus server, as Debian ships it, scrapes the admin listener. If it is not installed, that is said, and the test
//! passes.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::Value;
use std::process::{Child, Command, Stdio};
use support::{Backend, Client, Weir, eventually, free_port};

/// A server that ends with the test.
struct Prometheus {
    process: Child,
    address: std::net::SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Prometheus {
    /// Scrapes `target` every half second; `None` if the program is not there.
    fn start(target: std::net::SocketAddr) -> Option<Prometheus> {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("prometheus.yml");
        std::fs::write(
            &config,
            format!(
                "global: {{ scrape_interval: 500ms, scrape_timeout: 400ms }}\n\
                 scrape_configs: [{{ job_name: weir, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
            ),
        )
        .unwrap();
        let address = ([127, 0, 0, 1], free_port()).into();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match process {
            Ok(process) => Some(Prometheus { process, address, _directory: directory }),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                support::skipped("prometheus");
                None
            }
            Err(why) => panic!("{why}"),
        }
    }

    /// What its API says; `None` while it does not answer.
    fn says(&self, path: &str) -> Option<Value> {
        std::net::TcpStream::connect(self.address).ok()?;
        let response = Client::connect(self.address).get(path).gets().ok()?;
        (response.status == 200).then(|| serde_json::from_slice(&response.body).unwrap())
    }

    /// The value of a query that has one.
    fn value(&self, query: &str) -> Option<f64> {
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let said = self.says(&format!("/api/v1/query?query={escaped}"))?;
        said["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

#[test]
fn a_prometheus_server_understands_every_family() {
    let backend = Backend::start();
    let text =
        format!("[pool.app]\nbackends = [\"{}\"]\n[[route]]\nname = \"all\"\npool = \"app\"\n", backend.address());
    let weir = Weir::start(&text, &[]);
    let mut client = weir.client();
    (0..5).for_each(|_| drop(client.get("/").sees(200)));
    let Some(prometheus) = Prometheus::start(weir.at("admin")) else { return };
    eventually("it has scraped", || {
        prometheus.value("weir_exchanges_total{route=\"all\",status=\"2xx\"}") == Some(5.0)
    });
    assert_eq!(prometheus.value("up{job=\"weir\"}"), Some(1.0));
    assert_eq!(prometheus.value("weir_backend_up{pool=\"app\"}"), Some(1.0));
    assert_eq!(prometheus.value("weir_backend_state{pool=\"app\",state=\"up\"}"), Some(1.0));
    assert_eq!(prometheus.value("sum(weir_exchange_duration_seconds_bucket{route=\"all\",le=\"+Inf\"})"), Some(5.0));
    let mut known = Value::Null;
    eventually("it knows the families", || {
        known = prometheus.says("/api/v1/targets/metadata").unwrap_or_default();
        known["data"].as_array().is_some_and(|families| !families.is_empty())
    });
    let families = known["data"].as_array().unwrap();
    let page = weir.admin("/metrics").text();
    let named = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).count();
    assert_eq!(families.iter().filter(|it| !it["metric"].as_str().unwrap().starts_with("scrape_")).count(), named);
    for family in families {
        let name = family["metric"].as_str().unwrap();
        assert!(family["help"].as_str().is_some_and(|help| help.ends_with('.')), "{family}");
        assert_ne!(family["type"], "unknown", "{family}");
        // OpenMetrics: a unit is the end of its family's name. Counts of things have none.
        let unit = ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(unit)).unwrap_or_default();
        assert_eq!(family["unit"], unit, "{family}");
    }
}
