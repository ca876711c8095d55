//! What holds of every file whatever.

use proptest::prelude::*;
use statemachine::config::{self, Stack};

const ARIVE: &str = include_str!("../../examples/arive.toml");

fn parse(bytes: &[u8]) -> Result<Stack, config::Errors> {
    let result = config::parse(bytes, "stepstack.toml");
    if let Err(errors) = &result {
        assert!(!errors.0.is_empty());
        assert!(!errors.to_string().contains('\u{1b}'));
        for problem in &errors.0 {
            if let Some(span) = &problem.span {
                assert!(span.start <= span.end && span.end <= bytes.len(), "{problem:?}");
            }
        }
    }
    result
}

fn assert_subnets_fit(stack: &Stack) {
    let network = &stack.network;
    let subnets = [network.public_subnets, network.private_subnets].concat();
    for (index, subnet) in subnets.iter().enumerate() {
        assert!(network.cidr.contains(subnet), "{subnet} in {}", network.cidr);
        assert_eq!(subnet.addr(), subnet.network());
        assert!(subnet.prefix_len() <= 28);
        for other in &subnets[..index] {
            assert!(!subnet.contains(other) && !other.contains(subnet), "{subnet} and {other}");
        }
    }
}

/// Networks that are often good, so that the property is not of errors alone.
fn network() -> impl Strategy<Value = String> {
    let anything =
        (any::<[u8; 4]>(), 0_u8..=33).prop_map(|([a, b, c, d], length)| format!("{a}.{b}.{c}.{d}/{length}"));
    let near = (0_u8..16, prop_oneof![Just(16_u8), 18_u8..=24])
        .prop_map(|(third, length)| format!("10.0.{}.0/{length}", third << 4));
    prop_oneof![1 => anything, 9 => near]
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = parse(text.as_bytes());
    }

    #[test]
    fn no_value_makes_it_panic(key in "app|domain|region|network.cidr|database.(name|username|engine_version|min_acu)|uploads.bucket|services.w.(port|host|cpu|command|user|environment|scale)|services.\"[^\"\\\\]{0,6}\".port",
        value in "\"[^\"\\\\\\n]{0,30}\"|-?[0-9]{1,25}|[0-9]{1,3}[.][0-9]{1,3}|nan|-inf|true|\\[\\]|\\{\\}|\\[\"[^\"\\\\\\n]{0,5}\"\\]|2026-01-01") {
        let text = format!("environment = \"b\"\n{key} = {value}\n");
        let _ = parse(text.as_bytes());
        let _ = parse(format!("app = \"a\"\n{text}services.v = {{}}\n").as_bytes());
    }

    #[test]
    fn no_slip_in_a_good_file_makes_it_panic(at in 0..ARIVE.len(), length in 0_usize..40, put in proptest::collection::vec(any::<u8>(), 0..8)) {
        let mut bytes = ARIVE.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, put);
        if let Ok(stack) = parse(&bytes) {
            assert_subnets_fit(&stack);
        }
    }

    #[test]
    fn subnets_are_distinct_and_inside(cidr in network(), public in proptest::option::of([network(), network()]), private in proptest::option::of([network(), network()])) {
        let list = |key: &str, nets: Option<[String; 2]>| nets.map(|[a, b]| format!("{key} = [\"{a}\", \"{b}\"]\n")).unwrap_or_default();
        let text = format!(
            "app = \"a\"\nenvironment = \"b\"\n[services.w]\n[network]\ncidr = \"{cidr}\"\n{}{}",
            list("public_subnets", public),
            list("private_subnets", private),
        );
        if let Ok(stack) = parse(text.as_bytes()) {
            assert_subnets_fit(&stack);
        }
    }

    #[test]
    fn every_private_vpc_of_a_good_size_has_default_subnets(second in any::<u8>(), third in any::<u8>(), length in 16_u8..=26) {
        let net: ipnet::Ipv4Net = format!("10.{second}.{third}.0/{length}").parse().expect("a network");
        let text = format!("app = \"a\"\nenvironment = \"b\"\n[services.w]\n[network]\ncidr = \"{}\"\n", net.trunc());
        assert_subnets_fit(&parse(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}")));
    }
}

fn many(count: u32, line: impl Fn(u32) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().concat()
}

#[test]
fn deep_and_long_files_end_in_an_error() {
    let deep = [
        "[".repeat(500_000),
        format!("a = {}", "[".repeat(500_000)),
        format!("a = {}", "{a=".repeat(300_000)),
        format!("{}a = 1", "a.".repeat(500_000)),
        format!("[{}a]", "a.".repeat(500_000)),
        "a.b.c = 1\n".repeat(90_000),
        "[[a]]\n".repeat(170_000),
        format!("{} = 1", "k".repeat(1_000_000)),
        many(20_000, |key| format!("key{key} = 1\n")),
        many(30_000, |name| format!("services.a{name}={{port=8000}}\n")),
        many(30_000, |name| format!("services.a{name}.environment.A=\"\"\n")),
    ];
    for text in deep {
        assert!(parse(text.as_bytes()).is_err());
    }
}
