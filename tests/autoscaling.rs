//! The manifests of docs/autoscaling.md: what they name is there, in Kubernetes' and KEDA's schemas and in what Weir answers.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use serde_json::{Value, json};
use std::process::{Command, Stdio};
use support::{Backend, Held, Registrar, Weir, eventually, json_of};
use yaml_rust2::{Yaml, YamlLoader};

/// Of each type the names of its members, each with its type, and those that it must have. Of what the manifests use, taken from the OpenAPI
/// document of Kubernetes 1.37 (as its client for Python has it), from KEDA's `scaledobject_types.go`, and for the trigger from the page
/// on its metrics-api scaler.
const SCHEMAS: &str = include_str!("schemas/kubernetes.json");

const PAGE: &str = include_str!("../docs/autoscaling.md");

/// All that stands in fences of YAML, without the indentation that they share.
fn manifests() -> Vec<Value> {
    let blocks = PAGE.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let read = |text: &str| {
        let indent =
            text.lines().filter(|line| !line.is_empty()).map(|line| line.len() - line.trim_start().len()).min();
        let lines: Vec<&str> = text.lines().map(|line| line.get(indent.unwrap_or(0)..).unwrap_or_default()).collect();
        let documents = YamlLoader::load_from_str(&lines.join("\n")).unwrap_or_else(|why| panic!("{why}:\n{text}"));
        documents.iter().map(plain).collect::<Vec<_>>()
    };
    blocks.flat_map(read).collect()
}

fn plain(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Hash(members) => {
            members.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), plain(value))).collect()
        }
        Yaml::Array(all) => all.iter().map(plain).collect(),
        Yaml::String(text) => json!(text),
        Yaml::Integer(number) => json!(number),
        Yaml::Boolean(is) => json!(is),
        Yaml::Real(number) => json!(number.parse::<f64>().unwrap()),
        other => panic!("{other:?}"),
    }
}

/// What is wrong with a value that is to be of that type.
fn wrong(kind: &str, value: &Value, at: &str, schemas: &Value) -> Vec<String> {
    let inner = |prefix: &str| kind.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(']'));
    if let Some(kind) = inner("List[") {
        let Some(all) = value.as_array() else { return vec![format!("{at}: no list: {value}")] };
        return all.iter().flat_map(|value| wrong(kind, value, &format!("{at}[]"), schemas)).collect();
    }
    if let Some(kind) = inner("Dict[str, ") {
        let Some(all) = value.as_object() else { return vec![format!("{at}: no map: {value}")] };
        return all.iter().flat_map(|(key, value)| wrong(kind, value, &format!("{at}.{key}"), schemas)).collect();
    }
    let is_fine = match kind {
        "object" => true,
        "str" | "datetime" => value.is_string(),
        "int" => value.is_i64(),
        "bool" => value.is_boolean(),
        _ => return of_type(kind, value, at, schemas),
    };
    if is_fine { Vec::new() } else { vec![format!("{at}: no {kind}: {value}")] }
}

fn of_type(kind: &str, value: &Value, at: &str, schemas: &Value) -> Vec<String> {
    let schema = &schemas["types"][kind];
    let Some(fields) = schema["fields"].as_object() else { return vec![format!("{at}: {kind} is not in the schemas")] };
    let Some(members) = value.as_object() else { return vec![format!("{at}: no {kind}: {value}")] };
    let required = schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let missing = required.filter(|name| !members.contains_key(*name)).map(|name| format!("{at}: {name} is missing"));
    let said = members.iter().flat_map(|(name, value)| match fields.get(name) {
        Some(kind) => wrong(kind.as_str().unwrap(), value, &format!("{at}.{name}"), schemas),
        None => vec![format!("{at}: a {kind} has no {name}")],
    });
    missing.chain(said).collect()
}

/// The type of a whole manifest, or of a part of one; none for those of a chart's values.
fn kind(manifest: &Value, schemas: &Value) -> Option<String> {
    match (&manifest["kind"], &manifest["apiVersion"]) {
        (Value::String(kind), Value::String(version)) => {
            let named = &schemas["kinds"][format!("{kind} {version}")];
            Some(named.as_str().unwrap_or_else(|| panic!("{kind} {version} is not in the schemas")).to_owned())
        }
        _ if manifest.get("lifecycle").is_some() => Some("V1Container".to_owned()),
        _ => None,
    }
}

#[test]
fn manifests_have_the_fields_that_the_published_schemas_have() {
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap();
    let (all, mut kinds) = (manifests(), Vec::new());
    for mut manifest in all {
        let Some(kind) = kind(&manifest, &schemas) else { continue };
        if kind == "V1Container" {
            // The page shows a part of one.
            manifest["name"] = json!("shop");
        }
        let wrong = wrong(&kind, &manifest, &kind, &schemas);
        assert!(wrong.is_empty(), "{wrong:#?}");
        kinds.push(kind);
    }
    assert_eq!(kinds, ["V2HorizontalPodAutoscaler", "ScaledObject", "V1Container", "V1Deployment"]);
}

#[test]
fn a_field_that_no_schema_has_and_one_that_is_missing_are_found() {
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap();
    let manifests = manifests();
    let manifest = |kind: &str| manifests.iter().find(|it| it["kind"] == kind).unwrap().clone();
    let mut hpa = manifest("HorizontalPodAutoscaler");
    let metric = hpa["spec"]["metrics"][0].as_object_mut().unwrap();
    metric["external"]["target"] = json!({ "averageValue": 1, "kind": "AverageValue" });
    metric.insert("extern".into(), json!({}));
    let mut scaled = manifest("ScaledObject");
    scaled["spec"]["maxReplicaCount"] = json!("30");
    scaled["spec"]["triggers"][0]["metadata"]["targetValue"] = json!(1);
    let found =
        [wrong("V2HorizontalPodAutoscaler", &hpa, "", &schemas), wrong("ScaledObject", &scaled, "", &schemas)].concat();
    for wanted in ["type is missing", "has no kind", "has no extern", "maxReplicaCount: no int", "targetValue: no str"]
    {
        assert!(found.iter().any(|it| it.contains(wanted)), "{wanted}: {found:?}");
    }
}

#[test]
fn what_the_manifests_ask_for_is_what_weir_answers() {
    let backend = Backend::start();
    let text = "[admin]\nlisten = \"127.0.0.1:{admin}\"\n[pool.shop]\nbackends = [\"{backend}\"]\n\
                connections = { max = 8 }\n[[route]]\npool = \"shop\"\n";
    let weir = Weir::start(text, &[("backend", &backend.address())]);
    weir.client().get("/").sees(200);
    let manifests = manifests();
    let of = |kind: &str| manifests.iter().find(|it| it["kind"] == kind).unwrap();
    // KEDA asks for the number itself, by a path of GJSON: names with dots between.
    let asked = &of("ScaledObject")["spec"]["triggers"][0]["metadata"];
    let (_, path) = asked["url"].as_str().unwrap().split_once(":9180").unwrap();
    let names = asked["valueLocation"].as_str().unwrap();
    assert!(names.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c)), "{names}");
    let pointer = format!("/{}", names.replace('.', "/"));
    let number = || json_of(&weir.admin(path)).pointer(&pointer).unwrap_or_else(|| panic!("{names}: nothing")).as_f64();
    eventually("it is known how many are wanted", || number().is_some_and(|wanted| wanted >= 1.0));
    assert!(asked["targetValue"].as_str().unwrap().parse::<f64>().unwrap() > 0.0);
    // The HPA asks the adapter, which asks Prometheus, which asks Weir.
    let external = &of("HorizontalPodAutoscaler")["spec"]["metrics"][0]["external"]["metric"];
    let (name, labels) = (external["name"].as_str().unwrap(), external["selector"]["matchLabels"].as_object().unwrap());
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert!(weir.metric(&format!("{name}{{{}}}", labels.join(","))) >= 1.0);
    let rules = &manifests.iter().find(|it| it.get("rules").is_some()).unwrap()["rules"]["external"][0];
    assert!(rules["seriesQuery"].as_str().unwrap().starts_with(&format!("{name}{{")), "{rules}");
    // What the page shows of an answer has the same members, all the way down.
    let shown = PAGE.split("/demand\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let shown: Value = serde_json::from_str(shown).unwrap();
    let answered = json_of(&weir.admin("/v1/pools/shop/demand"));
    assert_eq!(members(&answered, &shown), members(&shown, &shown));
}

#[test]
fn the_hook_waits_for_what_the_backend_has_while_all_else_of_its_pod_goes_on() {
    let curl = Command::new("curl").arg("--version").stdout(Stdio::null()).status();
    if !curl.is_ok_and(|ended| ended.success()) {
        eprintln!("SKIPPED: there is no curl");
        return;
    }
    let text = "[admin]\nlisten = \"127.0.0.1:{admin}\"\n\
                tokens = [{ name = \"workers\", role = \"registrar\", secret = \"secret-of-workers\" }]\n\
                [pool.shop]\nregister = { tokens = [\"workers\"] }\n[[route]]\npool = \"shop\"\n";
    let (weir, pod, other) = (Weir::start(text, &[]), Held::start(), Backend::start());
    let workers = Registrar::new(&weir, "secret-of-workers");
    let mut client = pod.are_busy(&weir, &workers, "shop", 1).remove(0);
    workers.registers("shop", &other.address(), "");
    let hooks = manifests();
    let hook = hooks.iter().map(|it| &it["lifecycle"]["preStop"]["exec"]["command"]).find(|it| it.is_array()).unwrap();
    let at = pod.address(1);
    let (ip, port) = at.rsplit_once(':').unwrap();
    let command = hook.as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    let command = command.map(|word| word.replace("weir-admin:9180", &weir.at("admin").to_string()));
    let command: Vec<_> = command.map(|word| word.replace(":8000", &format!(":{port}"))).collect();
    assert!(command[2].contains(&format!("$POD_IP:{port}?wait=")), "{command:?}");
    let mut asks = Command::new(&command[0]);
    asks.args(&command[1..]).env("POD_IP", ip).env("WEIR_TOKEN", "secret-of-workers");
    let mut hook = asks.spawn().unwrap();
    weir.leases_are("shop", &[(&at, "draining"), (&other.address(), "serving")]);
    for _ in 0..20 {
        assert_eq!(workers.puts("shop", &at, "").status, 409);
        weir.client().get("/").sees(200).body(&other.address());
    }
    assert!(hook.try_wait().unwrap().is_none(), "the hook did not wait");
    pod.answer();
    client.sees(200);
    eventually("the hook ends", || hook.try_wait().unwrap().is_some_and(|ended| ended.success()));
    weir.leases_are("shop", &[(&other.address(), "serving")]);
}

/// The names of all members, those of what is null here, and not there, left out.
fn members(value: &Value, other: &Value) -> Vec<String> {
    let of = |(name, value): (&String, &Value)| {
        let below = if value.is_null() { other[name].clone() } else { value.clone() };
        let inner =
            members(&below, &other[name]).into_iter().map(|inner| format!("{name}.{inner}")).collect::<Vec<_>>();
        if inner.is_empty() { vec![name.clone()] } else { inner }
    };
    value.as_object().into_iter().flatten().flat_map(of).collect()
}
