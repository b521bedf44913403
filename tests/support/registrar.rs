use super::{Client, Response, Weir, eventually};
use serde_json::Value;

/// Somebody who registers backends with the admin listener, by a token.
pub struct Registrar<'w> {
    weir: &'w Weir,
    secret: String,
}

impl<'w> Registrar<'w> {
    pub fn new(weir: &'w Weir, secret: &str) -> Registrar<'w> {
        Registrar { weir, secret: secret.to_owned() }
    }

    /// Registers a backend, or renews that.
    pub fn puts(&self, pool: &str, address: &str, json: &str) -> Response {
        self.asks("PUT", &format!("/v1/pools/{pool}/backends/{address}"), json)
    }

    /// The same, which is to work.
    pub fn registers(&self, pool: &str, address: &str, json: &str) -> Value {
        let said = self.puts(pool, address, json);
        assert!([200, 201].contains(&said.status), "{}", said.text());
        json_of(&said)
    }

    /// Takes a backend out, and waits until it is out.
    pub fn takes_out(&self, pool: &str, address: &str) -> Value {
        let said = self.asks("DELETE", &format!("/v1/pools/{pool}/backends/{address}"), "");
        assert_eq!(said.status, 200, "{}", said.text());
        json_of(&said)
    }

    pub fn asks(&self, method: &str, path: &str, json: &str) -> Response {
        let mut client = Client::connect(self.weir.at("admin"));
        let ask = client.ask(method, path).content(json).field("Content-Type", "application/json");
        let secret = Some(&self.secret).filter(|secret| !secret.is_empty());
        let ask = secret.iter().fold(ask, |ask, secret| ask.field("Authorization", &format!("Bearer {secret}")));
        ask.field("Connection", "close").gets().unwrap()
    }
}

impl Weir {
    /// The backends of a pool, as the admin listener shows them.
    pub fn backends(&self, pool: &str) -> Vec<Value> {
        let said = self.admin(&format!("/v1/pools/{pool}/backends"));
        assert_eq!(said.status, 200, "{}", said.text());
        json_of(&said)["backends"].as_array().unwrap().clone()
    }

    /// Those that registered, each with the state of its lease.
    pub fn leases(&self, pool: &str) -> Vec<(String, String)> {
        let all = self.backends(pool);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        // One without a state of its own is not in the pool yet.
        let leased = all.iter().filter(|backend| !backend["lease"].is_null() && !backend["state"].is_null());
        leased.map(|backend| (text(&backend["address"]), text(&backend["lease"]["state"]))).collect()
    }

    /// Waits until the leases of a pool stand like that.
    pub fn leases_are(&self, pool: &str, wanted: &[(&str, &str)]) {
        let mut wanted: Vec<_> = wanted.iter().map(|(a, s)| ((*a).to_owned(), (*s).to_owned())).collect();
        wanted.sort();
        eventually(&format!("leases of {pool} are {wanted:?}"), || {
            let mut now = self.leases(pool);
            now.sort();
            now == wanted
        });
    }
}

pub fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|why| panic!("{why}: {}", response.text()))
}
