use super::basic::{USERS, credentials};
use super::support::{Origin, Weir};

const STAFF: &str = "[access.staff]\nbasic = { file = \"users\", realm = \"The office\", user = \"x-user\" }\n\
                     [limit.client]\nkey = \"client_ip\"\nrate = \"6/h\"\n\
                     [limit.user]\nkey = \"field:x-user\"\nrate = \"2/h\"\nfields = true\n\
                     [[route]]\npool = \"app\"\naccess = \"staff\"\nlimits = [\"user\", \"client\"]\n";

fn staff(origin: &Origin) -> Weir {
    super::serve(origin, STAFF, &[("users", USERS)])
}

#[test]
fn wrong_passwords_are_limited_before_they_are_checked() {
    let origin = Origin::start();
    let weir = staff(&origin);
    let mut client = weir.client();
    for n in 0..6 {
        client.get("/").field("Authorization", &credentials(&format!("ann:guess{n}"))).sees(401);
    }
    let refused = client.get("/").field("Authorization", &credentials("ann:secret")).sees(429);
    assert!(refused.value("RateLimit").starts_with("\"client\";r=0;t="), "{refused:?}");
    weir.counts("weir_access_total{access=\"staff\",verdict=\"wrong\"}", 6.0);
    assert_eq!(weir.metric("weir_access_total{access=\"staff\",verdict=\"granted\"}"), 0.0);
    origin.saw(0);
}

#[test]
fn users_are_told_apart_once_it_is_known_who_they_are_and_who_is_refused_then_has_paid_nothing() {
    let origin = Origin::start();
    let weir = staff(&origin);
    let mut client = weir.client();
    let (ann, bob) = (credentials("ann:secret"), credentials("bob:secret"));
    for left in [1, 0] {
        // Whoever says who he is by himself is not believed.
        let response = client.get("/").field("Authorization", &ann).field("X-User", "eve").sees(200);
        assert!(response.value("RateLimit").starts_with(&format!("\"user\";r={left};")), "{response:?}");
    }
    for _ in 0..10 {
        let refused = client.get("/").field("Authorization", &ann).sees(429);
        assert!(refused.value("RateLimit").starts_with("\"user\";r=0;"), "{refused:?}");
    }
    // Four are left to the client.
    (0..2).for_each(|_| _ = client.get("/").field("Authorization", &bob).sees(200));
    (0..2).for_each(|_| _ = client.get("/").sees(401));
    client.get("/").sees(429);
    origin.saw(4);
}
