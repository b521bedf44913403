//! Services written for another registry: Consul's agent and Nacos, with their own clients where those are installed.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Backend, Client, Held, Python, Registrar, Weir, eventually, json_of};

const WORKERS: &str = "secret-of-workers";

/// One pool, `app`; `more` of `[admin]`, and of the pool.
fn open(admin: &str, more: &str) -> String {
    format!(
        "[admin]\nlisten = \"127.0.0.1:{{admin}}\"\nspeaks = [\"consul\", \"nacos\"]\n{admin}\n\
         tokens = [{{ name = \"workers\", role = \"registrar\", secret = \"{WORKERS}\" }},\n\
         {{ name = \"others\", role = \"registrar\", secret = \"secret-of-others\" }}]\n\
         [pool.app]\nregister = {{ tokens = [\"workers\"], ttl = \"10s\" }}\n{more}\n\
         [pool.other]\nregister = {{ tokens = [\"others\"] }}\n\
         [[route]]\npath = \"/other\"\npool = \"other\"\n[[route]]\npool = \"app\"\n"
    )
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

fn is_served(weir: &Weir, address: &str) {
    assert_eq!(weir.client().get("/").sees(200).text(), address);
}

/// The states of the leases of `app`.
fn leases(weir: &Weir) -> Vec<String> {
    weir.leases("app").into_iter().map(|(_, state)| state).collect()
}

#[test]
fn nobody_is_spoken_to_in_a_language_that_is_not_switched_on() {
    let text = open("", "").replace("speaks = [\"consul\", \"nacos\"]\n", "");
    let weir = Weir::start(&text, &[]);
    for path in ["/v1/agent/services", "/v1/health/service/app", "/nacos/v1/ns/instance/list?serviceName=app"] {
        assert_eq!(weir.admin(path).status, 404, "{path}");
    }
    let said = Registrar::new(&weir, WORKERS).asks("PUT", "/v1/agent/service/register", "{}");
    assert_eq!(said.status, 404);
}

#[test]
fn a_service_of_consuls_registers_answers_for_itself_and_leaves() {
    let (weir, one) = (Weir::start(&open("", ""), &[]), Backend::start());
    let workers = Registrar::new(&weir, WORKERS);
    let address = one.address();
    let service = format!(
        "{{\"Name\": \"app\", \"ID\": \"app-1\", \"Address\": \"127.0.0.1\", \"Port\": {}, \"Tags\": [\"a\"], \
         \"Weights\": {{\"Passing\": 5, \"Warning\": 2}}, \"Check\": {{\"TTL\": \"2s\"}}}}",
        port(&address)
    );
    let asks = |method: &str, path: &str, json: &str| workers.asks(method, path, json).status;
    assert_eq!(asks("PUT", "/v1/agent/service/register", &service), 200);
    // It has not said yet that it is well.
    assert_eq!(leases(&weir), Vec::<String>::new());
    let passing = |wanted: usize| {
        let health = weir.admin("/v1/health/service/app?passing");
        assert_eq!(json_of_list(&health).as_array().unwrap().len(), wanted);
    };
    passing(0);
    assert_eq!(asks("PUT", "/v1/agent/check/pass/service:app-1?note=fine", ""), 200);
    is_served(&weir, &address);
    passing(1);
    let shown = json_of(&weir.admin("/v1/agent/checks"));
    let check = &shown["service:app-1"];
    assert_eq!((&check["Status"], &check["Output"]), (&json!("passing"), &json!("fine")));
    assert_eq!(asks("PUT", "/v1/agent/check/warn/service:app-1", ""), 200);
    assert_eq!(weir.backends("app")[0]["lease"]["weight"], json!(2));
    assert_eq!(asks("PUT", "/v1/agent/check/fail/service:app-1", ""), 200);
    weir.leases_are("app", &[]);
    assert_eq!(asks("PUT", "/v1/agent/check/pass/service:app-1", ""), 200);
    is_served(&weir, &address);
    assert_eq!(asks("PUT", "/v1/agent/service/maintenance/app-1?enable=true", ""), 200);
    weir.leases_are("app", &[]);
    assert_eq!(asks("PUT", "/v1/agent/service/maintenance/app-1?enable=false", ""), 200);
    is_served(&weir, &address);
    assert_eq!(asks("PUT", "/v1/agent/service/deregister/app-1", ""), 200);
    weir.leases_are("app", &[]);
    assert_eq!(asks("PUT", "/v1/agent/check/pass/service:app-1", ""), 404);
    assert_eq!(json_of(&weir.admin("/v1/agent/services")), json!({}));
}

/// Content that is a list.
fn json_of_list(response: &support::Response) -> Value {
    assert_eq!(response.status, 200, "{}", response.text());
    serde_json::from_slice(&response.body).unwrap()
}

#[test]
fn one_that_does_not_answer_for_itself_is_there_for_as_long_as_it_answers_others() {
    let (weir, one) = (Weir::start(&open("", ""), &[]), Backend::start());
    let workers = Registrar::new(&weir, WORKERS);
    let service = format!("{{\"name\": \"app\", \"port\": {}}}", port(&one.address()));
    assert_eq!(workers.asks("PUT", "/v1/agent/service/register", &service).status, 200);
    is_served(&weir, &one.address());
    one.dies();
    eventually("it is down", || weir.backends("app").iter().any(|backend| backend["state"] == "down"));
    assert_eq!(json_of_list(&weir.admin("/v1/health/service/app?passing=1")), json!([]));
    one.comes_back();
    eventually("it serves", || weir.client().get("/").gets().unwrap().status == 200);
    assert_eq!(workers.asks("PUT", "/v1/agent/service/deregister/app", "").status, 200);
    weir.leases_are("app", &[]);
}

#[test]
fn what_is_taken_out_stays_out_and_another_one_at_its_address_takes_nothing_from_one_that_stays() {
    let (weir, one) = (Weir::start(&open("", "").replace("ttl = \"10s\"", "ttl = \"2s\""), &[]), Backend::start());
    let workers = Registrar::new(&weir, WORKERS);
    let service = |id: &str| format!("{{\"name\": \"app\", \"id\": \"{id}\", \"port\": {}}}", port(&one.address()));
    let asks = |path: &str, json: &str| workers.asks("PUT", path, json).status;
    for id in ["a", "b"] {
        assert_eq!(asks("/v1/agent/service/register", &service(id)), 200);
    }
    assert_eq!(asks("/v1/agent/service/deregister/a", ""), 200);
    assert_eq!(leases(&weir), ["serving"]);
    assert!(!weir.log.text().contains("it drains"), "{}", weir.log.text());
    let renewals = "weir_lease_renewals_total{pool=\"app\"}";
    workers.takes_out("app", &one.address());
    assert_eq!(json_of(&weir.admin("/v1/agent/services")), json!({}));
    // Another one is renewed by Weir itself, at the same time as the first would be: it stays out.
    let two = Backend::start();
    let other = service("c").replace(port(&one.address()), port(&two.address()));
    assert_eq!(asks("/v1/agent/service/register", &other), 200);
    let before = weir.metric(renewals);
    eventually("services are renewed", || weir.metric(renewals) > before);
    assert_eq!(weir.leases("app"), [(two.address(), "serving".to_owned())]);
}

#[test]
fn services_survive_upgrades_and_restarts() {
    let text = format!("[server]\nworkers = 1\nstate = \"kept\"\n{}", open("", ""));
    let (mut weir, one) = (Weir::start(&text, &[]), Backend::start());
    let service = format!("{{\"name\": \"app\", \"port\": {}, \"check\": {{\"ttl\": \"9s\"}}}}", port(&one.address()));
    let asks = |weir: &Weir, path: &str, json: &str| Registrar::new(weir, WORKERS).asks("PUT", path, json).status;
    assert_eq!(asks(&weir, "/v1/agent/service/register", &service), 200);
    assert_eq!(asks(&weir, "/v1/agent/check/pass/service:app", ""), 200);
    weir.upgrade().unwrap();
    is_served(&weir, &one.address());
    assert_eq!(asks(&weir, "/v1/agent/check/pass/service:app", ""), 200);
    weir.signal("TERM");
    weir.first_ends();
    weir.ends();
    weir.starts_again();
    is_served(&weir, &one.address());
    assert_eq!(asks(&weir, "/v1/agent/check/pass/service:app", ""), 200);
    assert_eq!(asks(&weir, "/v1/agent/service/deregister/app", ""), 200);
    weir.leases_are("app", &[]);
}

#[test]
fn what_is_said_again_and_again_is_written_down_once() {
    let text = format!("[server]\nworkers = 1\nstate = \"kept\"\n{}", open("", ""));
    let (mut weir, one) = (Weir::start(&text, &[]), Backend::start());
    let asks = |weir: &Weir, path: &str, json: &str| Registrar::new(weir, WORKERS).asks("PUT", path, json).status;
    let check = |id: &str, ttl: &str| format!("{{\"CheckID\": \"{id}\", \"TTL\": \"{ttl}\"}}");
    let checks = format!("{}, {}", check("a", "9s"), check("b", "8s"));
    let service = format!("{{\"Name\": \"app\", \"Port\": {}, \"Checks\": [{checks}]}}", port(&one.address()));
    let words = std::cell::Cell::new(0);
    let says = |weir: &Weir, word: &str| {
        for id in ["a", "b"] {
            words.set(words.get() + 1);
            let path = format!("/v1/agent/check/{word}/{id}?note=word+{}", words.get());
            assert_eq!(asks(weir, &path, ""), 200);
        }
    };
    assert_eq!(asks(&weir, "/v1/agent/service/register", &service), 200);
    says(&weir, "pass");
    let file = weir.path("kept/leases");
    let written = |what: &str| {
        eventually(&format!("{what} is written"), || {
            std::fs::read_to_string(&file).is_ok_and(|kept| kept.matches(what).count() == 2)
        });
        let seen = std::fs::metadata(&file).unwrap();
        (std::os::unix::fs::MetadataExt::ino(&seen), seen.modified().unwrap())
    };
    let passing = written("passing");
    for _ in 0..30 {
        says(&weir, "pass");
        assert_eq!(asks(&weir, "/v1/agent/service/register", &service), 200);
    }
    assert_eq!(written("passing"), passing);
    says(&weir, "warn");
    assert_ne!(written("warning"), passing);
    // What was not written is not missed: a heartbeat after a crash goes on where the last one was.
    weir.is_killed();
    weir.starts_again();
    is_served(&weir, &one.address());
    says(&weir, "pass");
    is_served(&weir, &one.address());
}

/// Registers `at` by both interfaces, and waits until it is written down.
fn registers_twice(weir: &Weir, at: &str) {
    let workers = Registrar::new(weir, WORKERS);
    let service = format!("{{\"name\": \"app\", \"port\": {}}}", port(at));
    assert_eq!(workers.asks("PUT", "/v1/agent/service/register", &service).status, 200);
    workers.registers("app", at, "");
    eventually("it is written", || std::fs::read_to_string(weir.path("kept/leases")).is_ok_and(|it| it.contains(at)));
}

#[test]
fn what_was_written_down_is_judged_by_the_configuration_that_reads_it() {
    let text = format!("[server]\nworkers = 1\nstate = \"kept\"\n{}", open("", ""));
    let mut weir = Weir::start(&text, &[]);
    let later = weir.at("port2").to_string();
    registers_twice(&weir, &later);
    weir.stop();
    // Where the service was is the admin listener's place now.
    weir.rewrite(&text.replace("{admin}", "{port2}"));
    weir.starts_again();
    let mut admin = Client::connect(weir.at("port2"));
    let shown = admin.get("/v1/pools/app/backends").sees(200);
    assert_eq!(json_of(&shown)["backends"], json!([]));
    assert_eq!(json_of(&admin.get("/v1/agent/services").sees(200)), json!({}));
    weir.client().get("/metrics").sees(503);
    weir.stop();
    // Of a pool that takes none nothing is kept, and nothing is there once it does again.
    weir.rewrite(&text);
    weir.starts_again();
    weir.leases_are("app", &[]);
    let one = Backend::start();
    registers_twice(&weir, &one.address());
    weir.stop();
    let register = "register = { tokens = [\"workers\"], ttl = \"10s\" }";
    weir.rewrite(&text.replace(register, "backends = [\"127.0.0.1:9\"]"));
    weir.starts_again();
    weir.becomes(&text);
    assert_eq!(leases(&weir), Vec::<String>::new());
}

#[test]
fn who_may_not_register_any_more_has_nothing_registered_any_more() {
    let text = format!("[server]\nworkers = 1\nstate = \"kept\"\n{}", open("", ""));
    let workers = format!("{{ name = \"workers\", role = \"registrar\", secret = \"{WORKERS}\" }},");
    let (mut weir, one) = (Weir::start(&text, &[]), Backend::start());
    let narrow = workers.replace(" }", ", networks = [\"10.0.0.0/8\"] }");
    let narrowed = text.replace(&workers, &narrow);
    let others = text.replace("tokens = [\"workers\"]", "tokens = [\"others\"]");
    let gone = others.replace(&workers, "");
    let listed = text.replace("register = { tokens = [\"workers\"]", "backends = [\"{one}\"]\n$0");
    let listed = listed.replace("{one}", &one.address()).replace("$0", "register = { tokens = [\"workers\"]");
    for changed in [&narrowed, &others, &gone, &listed] {
        assert_ne!(*changed, text);
        registers_twice(&weir, &one.address());
        weir.becomes(changed);
        weir.leases_are("app", &[]);
        assert_eq!(json_of(&weir.admin("/v1/agent/services")), json!({}));
        weir.becomes(&text);
        assert_eq!(leases(&weir), Vec::<String>::new());
        registers_twice(&weir, &one.address());
        weir.stop();
        weir.rewrite(changed);
        weir.starts_again();
        weir.leases_are("app", &[]);
        assert_eq!(json_of(&weir.admin("/v1/agent/services")), json!({}));
        weir.becomes(&text);
    }
    // What is as it was stays.
    registers_twice(&weir, &one.address());
    weir.becomes(&text.replace("ttl = \"10s\"", "ttl = \"9s\""));
    is_served(&weir, &one.address());
    assert_eq!(leases(&weir), ["serving"]);
}

#[test]
fn who_may_not_register_may_not_do_it_in_another_language() {
    let (weir, one) = (Weir::start(&open("", ""), &[]), Backend::start());
    let service = |name: &str, more: &str| {
        format!("{{\"name\": \"{name}\", \"id\": \"s\", \"port\": {}{more}}}", port(&one.address()))
    };
    let asks = |secret: &str, path: &str, json: &str| Registrar::new(&weir, secret).asks("PUT", path, json).status;
    let register = "/v1/agent/service/register";
    assert_eq!(asks("", register, &service("app", "")), 401);
    assert_eq!(asks("secret-of-nobody", register, &service("app", "")), 401);
    assert_eq!(asks("secret-of-others", register, &service("app", "")), 403);
    assert_eq!(asks(WORKERS, register, &service("nowhere", "")), 404);
    assert_eq!(asks(WORKERS, register, &service("app", ", \"address\": \"169.254.169.254\"")), 403);
    assert_eq!(asks(WORKERS, register, &service("app", ", \"check\": {\"ttl\": \"11s\"}")), 400);
    assert_eq!(asks(WORKERS, register, &service("app", ", \"check\": {\"ttl\": \"10s\"}")), 200);
    for path in
        ["/v1/agent/service/deregister/s", "/v1/agent/check/pass/service:s", "/v1/agent/check/deregister/service:s"]
    {
        assert_eq!(asks("secret-of-others", path, ""), 403, "{path}");
    }
    // Nor is a service taken over by its name.
    assert_eq!(asks("secret-of-others", register, &service("other", "")), 403);
    assert_eq!(asks("", &format!("/v1/agent/check/pass/service:s?token={WORKERS}"), ""), 200);
    let instance = format!("ip=127.0.0.1&port={}&serviceName=app", port(&one.address()));
    let nacos = |method: &str, query: &str| {
        Registrar::new(&weir, "").asks(method, &format!("/nacos/v1/ns/instance?{query}"), "").status
    };
    assert_eq!(nacos("POST", &instance), 403);
    assert_eq!(nacos("POST", &format!("{instance}&accessToken=secret-of-others")), 403);
    assert_eq!(nacos("POST", &format!("{instance}&accessToken={WORKERS}")), 200);
    assert_eq!(nacos("DELETE", &instance), 403);
}

#[test]
fn nobody_changes_what_is_outside_of_his_networks() {
    let near = "{ name = \"near\", role = \"registrar\", secret = \"secret-of-neighbours\", networks = [\"127.0.0.1/32\"] },\n";
    let text = open("", "").replace("tokens = [{ name", &format!("tokens = [{near}{{ name"));
    let weir = Weir::start(&text.replace("tokens = [\"workers\"]", "tokens = [\"workers\", \"near\"]"), &[]);
    let asks = |secret: &str, path: &str, json: &str| Registrar::new(&weir, secret).asks("PUT", path, json).status;
    let service = |ip: &str| {
        format!(
            "{{\"name\": \"app\", \"id\": \"s\", \"address\": \"{ip}\", \"port\": 1, \"check\": {{\"ttl\": \"9s\"}}}}"
        )
    };
    assert_eq!(asks(WORKERS, "/v1/agent/service/register", &service("127.0.1.1")), 200);
    assert_eq!(asks(WORKERS, "/v1/agent/check/pass/service:s", ""), 200);
    let check = "{\"ServiceID\": \"s\", \"Name\": \"another\", \"TTL\": \"5s\"}";
    for (path, json) in [
        ("/v1/agent/service/deregister/s", ""),
        ("/v1/agent/service/maintenance/s?enable=true", ""),
        ("/v1/agent/check/fail/service:s", ""),
        ("/v1/agent/check/register", check),
        ("/v1/agent/check/deregister/service:s", ""),
        // By its name it would be moved.
        ("/v1/agent/service/register", &service("127.0.0.1")),
    ] {
        assert_eq!(asks("secret-of-neighbours", path, json), 403, "{path}");
    }
    let instance = "/nacos/v1/ns/instance?ip=127.0.1.1&port=1&serviceName=app&accessToken=secret-of-neighbours";
    assert_eq!(Registrar::new(&weir, "").asks("DELETE", instance, "").status, 403);
    assert_eq!(leases(&weir), ["serving"]);
    assert_eq!(asks(WORKERS, "/v1/agent/service/deregister/s", ""), 200);
}

#[test]
fn a_beat_changes_nothing_of_an_instance_but_how_long_it_lasts() {
    let (weir, one, two) = (Weir::start(&open("", ""), &[]), Backend::start(), Backend::start());
    let asks = |method: &str, path: &str, query: &str| {
        let query = query.replace('"', "%22");
        let path = format!("/nacos/v1/ns/instance{path}?serviceName=app&accessToken={WORKERS}&{query}");
        let said = Registrar::new(&weir, "").asks(method, &path, "");
        (said.status, said.text())
    };
    let ok = (200, "ok".to_owned());
    let at = |backend: &Backend| format!("ip=127.0.0.1&port={}", port(&backend.address()));
    let beat = |more: &str| format!("beat={{\"ip\":\"127.0.0.1\",\"port\":{}{more}}}", port(&one.address()));
    for backend in [&one, &two] {
        assert_eq!(asks("POST", "", &format!("{}&weight=3&clusterName=eu", at(backend))), ok);
    }
    let lease = |backend: &Backend| {
        let shown = weir.admin(&format!("/v1/pools/app/backends/{}", backend.address()));
        json_of(&shown)["lease"].clone()
    };
    let code = |answer: (u16, String)| {
        assert_eq!(answer.0, 200, "{}", answer.1);
        serde_json::from_str::<Value>(&answer.1).unwrap()["code"].clone()
    };
    let renewals = || weir.metric("weir_lease_renewals_total{pool=\"app\"}");
    let is_as_it_was = |weight: u16| {
        let before = renewals();
        assert_eq!(code(asks("PUT", "/beat", &beat(",\"weight\":1.0"))), json!(10_200));
        assert_eq!(code(asks("PUT", "/beat", &at(&one))), json!(10_200));
        assert_eq!(renewals(), before + 2.0);
        let now = lease(&one);
        assert_eq!((&now["weight"], &now["zone"], &now["ttl"]), (&json!(weight), &json!("eu"), &json!("10s")));
    };
    is_as_it_was(3);
    // It is disabled, and stays so.
    assert_eq!(asks("PUT", "", &format!("{}&enabled=false&clusterName=eu", at(&one))), ok);
    is_as_it_was(0);
    for _ in 0..4 {
        is_served(&weir, &two.address());
    }
    let (_, listed) = asks("GET", "/list", "");
    let hosts = serde_json::from_str::<Value>(&listed).unwrap()["hosts"].clone();
    let enabled: Vec<_> = hosts.as_array().unwrap().iter().map(|host| (&host["port"], &host["enabled"])).collect();
    let number = |backend: &Backend| json!(port(&backend.address()).parse::<u16>().unwrap());
    assert!(enabled.contains(&(&number(&one), &json!(false))), "{enabled:?}");
    assert!(enabled.contains(&(&number(&two), &json!(true))), "{enabled:?}");
    assert_eq!(asks("PUT", "", &format!("{}&enabled=true&weight=2&clusterName=eu", at(&one))), ok);
    is_as_it_was(2);
    // What a registration may not say a beat may not, either.
    let before = renewals();
    for (said, why) in [
        (beat(",\"ephemeral\":false"), "ephemeral=false"),
        (beat(",\"weight\":-1"), "weight: 0 to"),
        (beat(",\"weight\":\"heavy\""), "weight: a number"),
        (format!("{}&ephemeral=false", at(&one)), "ephemeral=false"),
    ] {
        let (status, text) = asks("PUT", "/beat", &said);
        assert!(status == 400 && text.contains(why), "{said}: {status} {text}");
    }
    assert_eq!(renewals(), before);
    // One that is not there comes back by a beat that says all of it, and by no other.
    assert_eq!(asks("DELETE", "", &at(&one)), ok);
    eventually("it has left", || weir.leases("app").len() == 1);
    assert_eq!(code(asks("PUT", "/beat", &at(&one))), json!(20_404));
    assert_eq!(weir.leases("app").len(), 1);
    assert_eq!(code(asks("PUT", "/beat", &beat(",\"weight\":5,\"cluster\":\"us\""))), json!(10_200));
    assert_eq!((&lease(&one)["weight"], &lease(&one)["zone"]), (&json!(5), &json!("us")));
}

#[test]
fn only_a_registration_brings_back_what_leaves_and_no_sign_of_life_does() {
    let (weir, one, other) = (Weir::start(&open("", ""), &[]), Held::start(), Backend::start());
    let workers = Registrar::new(&weir, WORKERS);
    let mut waits = one.are_busy(&weir, &workers, "app", 1).remove(0);
    workers.registers("app", &other.address(), "");
    let (draining, back) = (vec!["draining", "serving"], vec!["serving", "serving"]);
    let are = |wanted: &[&str]| {
        let mut now = leases(&weir);
        now.sort();
        assert_eq!(now, wanted);
    };
    let port = port(&one.address(1)).to_owned();
    let nacos = |method: &str, path: &str, more: &str| {
        let at = format!("ip=127.0.1.1&port={port}&serviceName=app&accessToken={WORKERS}{more}");
        let said = Registrar::new(&weir, "").asks(method, &format!("/nacos/v1/ns/instance{path}?{at}"), "");
        (said.status, said.text())
    };
    let asks = |path: &str, json: &str| workers.asks("PUT", path, json).status;
    let service = format!(
        "{{\"name\": \"app\", \"id\": \"s\", \"address\": \"127.0.1.1\", \"port\": {port}, \"check\": {{\"ttl\": \"9s\"}}}}"
    );
    let registers = || asks("/v1/agent/service/register", &service);
    assert_eq!(nacos("DELETE", "", ""), (200, "ok".to_owned()));
    are(&draining);
    // To be told that it is not there would have a client register it again.
    let beat = format!("&beat={{%22ip%22:%22127.0.1.1%22,%22port%22:{port}}}");
    for said in [nacos("PUT", "/beat", &beat), nacos("PUT", "/beat", "")] {
        assert!(said.0 == 200 && said.1.contains("\"code\":10200"), "{said:?}");
    }
    assert_eq!(nacos("PUT", "", "&weight=2").0, 404);
    are(&draining);
    // One that is started again at its address says so once, and does not ask again.
    assert_eq!(nacos("POST", "", ""), (200, "ok".to_owned()));
    are(&back);
    assert_eq!((registers(), asks("/v1/agent/check/pass/service:s", "")), (200, 200));
    assert_eq!(asks("/v1/agent/service/deregister/s", ""), 200);
    are(&draining);
    assert_eq!(asks("/v1/agent/check/pass/service:s", ""), 404);
    are(&draining);
    assert_eq!((registers(), asks("/v1/agent/check/pass/service:s", "")), (200, 200));
    are(&back);
    one.answer();
    waits.sees(200);
}

#[test]
fn one_that_keeps_saying_that_it_fails_is_forgotten_in_time() {
    let (weir, one) = (Weir::start(&open("", ""), &[]), Backend::start());
    let asks = |path: &str, json: &str| Registrar::new(&weir, WORKERS).asks("PUT", path, json).status;
    let check = "{\"TTL\": \"9s\", \"DeregisterCriticalServiceAfter\": \"1s\"}";
    let service = format!("{{\"Name\": \"app\", \"Port\": {}, \"Check\": {check}}}", port(&one.address()));
    assert_eq!(asks("/v1/agent/service/register", &service), 200);
    assert_eq!(asks("/v1/agent/check/pass/service:app", ""), 200);
    is_served(&weir, &one.address());
    let failed = Instant::now();
    eventually("it is forgotten", || asks("/v1/agent/check/fail/service:app", "") == 404);
    assert!(failed.elapsed() >= Duration::from_secs(1), "{:?}", failed.elapsed());
    assert_eq!(json_of(&weir.admin("/v1/agent/services")), json!({}));
}

#[test]
fn what_a_service_of_consuls_says_wrongly_is_refused_by_its_name() {
    let weir = Weir::start(&open("", ""), &[]);
    let asks = |path: &str, json: &str| {
        let said = Registrar::new(&weir, WORKERS).asks("PUT", path, json);
        (said.status, said.text())
    };
    let service = |more: &str| format!("{{\"Name\": \"app\", \"Port\": 9, {more}}}");
    for (more, why) in [
        ("\"Tags\": {\"a\": \"b\"}", "Tags: an array of texts, not an object"),
        ("\"Checks\": \"no\"", "Checks: an array of objects, not \"no\""),
        (
            "\"Check\": {\"TTL\": \"9s\", \"Status\": \"well\"}",
            "Check.Status: \"passing\", \"warning\" or \"critical\", not \"well\"",
        ),
    ] {
        assert_eq!(asks("/v1/agent/service/register", &service(more)), (400, why.to_owned()));
    }
    assert_eq!(json_of(&weir.admin("/v1/agent/services")), json!({}));
    assert_eq!(asks("/v1/agent/service/register", &service("\"Check\": {\"TTL\": \"9s\"}")).0, 200);
    let check = "{\"ServiceID\": \"app\", \"Name\": \"b\", \"TTL\": \"9s\", \"Status\": \"well\"}";
    for (path, json) in
        [("/v1/agent/check/register", check), ("/v1/agent/check/update/service:app", "{\"Status\": \"well\"}")]
    {
        let (status, why) = asks(path, json);
        assert_eq!((status, why.split(':').next()), (400, Some("Status")), "{why}");
    }
}

#[test]
fn nobody_answers_for_the_checks_of_others() {
    let (weir, one, two) = (Weir::start(&open("", ""), &[]), Backend::start(), Backend::start());
    let asks = |secret: &str, path: &str, json: &str| Registrar::new(&weir, secret).asks("PUT", path, json).status;
    let register = "/v1/agent/service/register";
    let service = |name: &str, id: &str, at: &Backend, checks: &str| {
        format!("{{\"name\": \"{name}\", \"id\": \"{id}\", \"port\": {}, \"checks\": [{checks}]}}", port(&at.address()))
    };
    let ttl = |id: &str| format!("{{\"CheckID\": \"{id}\", \"TTL\": \"10s\"}}");
    assert_eq!(asks(WORKERS, register, &service("app", "b", &one, &ttl("service:b"))), 200);
    // By a name that comes first, and by adding it.
    let others = "secret-of-others";
    assert_eq!(asks(others, register, &service("other", "a", &two, &ttl("service:b"))), 409);
    assert_eq!(asks(others, register, &service("other", "a", &two, &ttl("mine"))), 200);
    let added = "{\"ServiceID\": \"a\", \"Name\": \"service:b\", \"TTL\": \"10s\"}";
    assert_eq!(asks(others, "/v1/agent/check/register", added), 409);
    assert_eq!(asks(others, "/v1/agent/check/pass/service:b", ""), 403);
    assert_eq!(asks(WORKERS, register, &service("app", "c", &two, &format!("{}, {}", ttl("c"), ttl("c")))), 409);
    assert_eq!(asks(WORKERS, "/v1/agent/check/pass/service:b", ""), 200);
    is_served(&weir, &one.address());
    // Registered again it has its own.
    assert_eq!(asks(WORKERS, register, &service("app", "b", &one, &ttl("service:b"))), 200);
}

#[test]
fn without_a_token_only_this_machine_is_believed_and_no_page_in_a_browser() {
    let (weir, one) = (Weir::start(&open("loopback_as = \"workers\"", ""), &[]), Backend::start());
    let query = format!("/nacos/v1/ns/instance?ip=127.0.0.1&port={}&serviceName=app", port(&one.address()));
    let mut browser = Client::connect(weir.at("admin"));
    let said = browser.ask("POST", &query).field("Origin", "http://evil.example").gets().unwrap();
    assert_eq!((said.status, leases(&weir).len()), (403, 0), "{}", said.text());
    let nobody = Registrar::new(&weir, "");
    assert_eq!(nobody.asks("POST", &query, "").status, 200);
    is_served(&weir, &one.address());
    // Weir's own interface wants a token all the same.
    assert_eq!(nobody.puts("app", &one.address(), "").status, 401);
    assert_eq!(nobody.asks("POST", &query.replace("=app", "=other"), "").status, 403);
}

#[test]
fn a_query_that_waits_hears_of_what_changes() {
    let (weir, one) = (Weir::start(&open("", ""), &[]), Backend::start());
    let index = weir.admin("/v1/health/service/app").fields.get("x-consul-index").unwrap().to_owned();
    let waits = std::thread::scope(|scope| {
        let mut waiting = Client::connect(weir.at("admin"));
        waiting.get(&format!("/v1/health/service/app?index={index}&wait=8s")).sent();
        let (begins, begun) = std::sync::mpsc::channel();
        let waiting = scope.spawn(move || {
            let nothing = waiting.nothing_for(Duration::from_millis(300));
            begins.send(nothing).unwrap();
            waiting.sees(200)
        });
        assert!(begun.recv().unwrap(), "nothing has changed yet");
        let changes = Instant::now();
        let service = format!("{{\"name\": \"app\", \"port\": {}}}", port(&one.address()));
        assert_eq!(Registrar::new(&weir, WORKERS).asks("PUT", "/v1/agent/service/register", &service).status, 200);
        let heard = waiting.join().unwrap();
        assert!(changes.elapsed() < Duration::from_secs(3), "heard after {:?}", changes.elapsed());
        heard
    });
    assert_eq!(json_of_list(&waits).as_array().unwrap().len(), 1);
    assert_ne!(waits.fields.get("x-consul-index").unwrap(), index);
}

#[test]
fn reads_that_wait_leave_room_for_who_wants_something_now() {
    let weir = Weir::start(&open("", ""), &[]);
    let index = weir.admin("/v1/agent/services").fields.get("x-consul-index").unwrap().to_owned();
    let waiting = |wait: &str| {
        let mut client = Client::connect(weir.at("admin"));
        client.get(&format!("/v1/agent/services?index={index}&wait={wait}")).sent();
        client
    };
    let mut all: Vec<_> = (0..16).map(|_| waiting("8s")).collect();
    eventually("there is no room to wait", || {
        waiting("10ms").sees(200).fields.get("connection").is_some_and(|said| said == "close")
    });
    // Who has a place keeps it, and his connection.
    let service = "{\"name\": \"app\", \"port\": 9}";
    assert_eq!(Registrar::new(&weir, WORKERS).asks("PUT", "/v1/agent/service/register", service).status, 200);
    for client in &mut all {
        assert_eq!(client.sees(200).fields.get("connection"), None);
    }
}

/// The two clients have one interface, but for how the token is sent.
fn consuls_client(package: &str, admin: &str, token: &str) {
    let (weir, one) = (Weir::start(&open(admin, ""), &[]), Backend::start());
    let begin = format!("import consul\nc = consul.Consul(host='127.0.0.1', port={}{token})", weir.at("admin").port());
    let Some(mut python) = Python::with(package, &begin) else { return };
    let (address, port) = (one.address(), port(&one.address()).to_owned());
    let register = format!(
        "c.agent.service.register('app', service_id='app-1', address='127.0.0.1', port={port}, tags=['a'], check=consul.Check.ttl('2s'))"
    );
    assert_eq!(python.does(&register), json!(true));
    assert_eq!(python.does("c.agent.services()['app-1']['Port']"), json!(port.parse::<u16>().unwrap()));
    assert_eq!(python.does("c.agent.checks()['service:app-1']['Status']"), json!("critical"));
    assert_eq!(python.does("c.agent.check.ttl_pass('service:app-1', 'fine')"), json!(true));
    is_served(&weir, &address);
    assert_eq!(python.does("c.health.service('app', passing=True)[1][0]['Service']['ID']"), json!("app-1"));
    assert_eq!(python.does("c.catalog.service('app')[1][0]['ServiceTags']"), json!(["a"]));
    assert_eq!(python.does("list(c.catalog.services()[1])"), json!(["app"]));
    // It beats, and outlives its time; then it does not, and is out.
    let renewals = "weir_lease_renewals_total{pool=\"app\"}";
    let before = weir.metric(renewals);
    eventually("it beats", || {
        assert_eq!(python.does("c.agent.check.ttl_pass('service:app-1')"), json!(true));
        weir.metric(renewals) > before + 5.0
    });
    assert_eq!(python.does("c.agent.check.ttl_warn('service:app-1')"), json!(true));
    is_served(&weir, &address);
    assert_eq!(python.does("c.agent.check.ttl_fail('service:app-1')"), json!(true));
    weir.leases_are("app", &[]);
    assert_eq!(python.does("c.agent.check.ttl_pass('service:app-1')"), json!(true));
    is_served(&weir, &address);
    assert_eq!(python.does("c.agent.service.deregister('app-1')"), json!(true));
    weir.leases_are("app", &[]);
    assert_eq!(python.does("c.agent.services()"), json!({}));
    // A check by itself, and one that is Weir's to make.
    let plain = format!("c.agent.service.register('app', port={port}, address='127.0.0.1')");
    assert_eq!(python.does(&plain), json!(true));
    is_served(&weir, &address);
    let check = "c.agent.check.register('alive', check=consul.Check.ttl('5s'), check_id='mine', service_id='app')";
    assert_eq!(python.does(check), json!(true));
    weir.leases_are("app", &[]);
    assert_eq!(python.does("c.agent.check.ttl_pass('mine')"), json!(true));
    is_served(&weir, &address);
    assert_eq!(python.does("c.agent.check.deregister('mine')"), json!(true));
    let refused = python.does("c.agent.service.register('nowhere', port=1, address='127.0.0.1')");
    assert_eq!(refused, json!(false), "no pool is called so");
}

#[test]
fn python_consul_needs_no_change() {
    // It has no way to send a token with what a check says.
    consuls_client("python-consul", "loopback_as = \"workers\"", "");
}

#[test]
fn py_consul_needs_no_change() {
    consuls_client("py-consul", "", &format!(", token='{WORKERS}'"));
}

#[test]
fn the_client_of_nacos_needs_no_change() {
    let (weir, one) = (Weir::start(&open("", "").replace("ttl = \"10s\"", "ttl = \"2s\""), &[]), Backend::start());
    let begin = format!(
        "import nacos\nc = nacos.NacosClient('127.0.0.1:{}', namespace='', username='workers', password='{WORKERS}')",
        weir.at("admin").port()
    );
    let Some(mut python) = Python::with("nacos-sdk-python", &begin) else { return };
    let (address, port) = (one.address(), port(&one.address()).to_owned());
    let add = format!(
        "c.add_naming_instance('app', '127.0.0.1', {port}, weight=2.0, cluster_name='eu', heartbeat_interval=0.3)"
    );
    assert_eq!(python.does(&add), json!(true));
    is_served(&weir, &address);
    let lease = &weir.backends("app")[0]["lease"];
    assert_eq!((&lease["weight"], &lease["zone"], &lease["by"]), (&json!(2), &json!("eu"), &json!("workers")));
    // Its thread beats, and it outlives its time.
    eventually("it beats", || weir.metric("weir_lease_renewals_total{pool=\"app\"}") > 8.0);
    weir.leases_are("app", &[(&address, "serving")]);
    let listed = python.does("c.list_naming_instance('app', healthy_only=True)['hosts']");
    assert_eq!((&listed[0]["port"], &listed[0]["healthy"]), (&json!(port.parse::<u16>().unwrap()), &json!(true)));
    let modify = format!("c.modify_naming_instance('app', '127.0.0.1', {port}, weight=4.0)");
    assert_eq!(python.does(&modify), json!(true));
    let beat = python.does(&format!("c.send_heartbeat('app', '127.0.0.1', {port}, weight=4.0)"));
    assert_eq!(beat["clientBeatInterval"], json!(666));
    let got = python.does(&format!("c.get_naming_instance('app', '127.0.0.1', {port})['clusterName']"));
    assert!(got.is_string(), "{got}");
    assert_eq!(python.does(&format!("c.remove_naming_instance('app', '127.0.0.1', {port})")), json!(true));
    eventually("it has left", || weir.leases("app").is_empty());
    assert_eq!(python.does("c.list_naming_instance('app')['hosts']"), json!([]));
    // A beat of one that is not there brings it back, as after a restart of the registry.
    python.does(&format!("c.send_heartbeat('app', '127.0.0.1', {port})"));
    is_served(&weir, &address);
    // Without beats it goes, or is kept as the last of its pool.
    weir.leases_are("app", &[(&address, "kept")]);
    let wrong = python.does("nacos.NacosClient('127.0.0.1:1', username='a', password='b').list_naming_instance('app')");
    assert!(wrong["raised"].is_string(), "{wrong}");
}
