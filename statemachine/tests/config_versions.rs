//! Engine versions: what a file asks for against what AWS runs.

use statemachine::config::check_engine_version;

fn live() -> Vec<String> {
    ["14.15", "15.9", "15.10", "15.13", "16.9", "16.8-limitless", "17.5"].map(str::to_owned).to_vec()
}

#[test]
fn a_major_takes_its_newest_minor_by_number() {
    let chosen = |asked: &str| check_engine_version(asked, &live()).expect("live");
    assert_eq!(chosen("15"), "15.13");
    assert_eq!(chosen("16"), "16.9");
    assert_eq!(check_engine_version("15", &["15.9".to_owned(), "15.10".to_owned()]).as_deref(), Ok("15.10"));
}

#[test]
fn a_live_minor_stays_as_it_is() {
    assert_eq!(check_engine_version("15.9", &live()).as_deref(), Ok("15.9"));
}

#[test]
fn what_is_not_live_is_told_with_what_is() {
    let told: Vec<String> = ["15.4", "15.99", "16.8", "12", "99", "12.4", "latest", "15.x"]
        .iter()
        .map(|asked| check_engine_version(asked, &live()).expect_err(asked).to_string())
        .collect();
    let told = told.join("\n\n");
    insta::assert_snapshot!(told);
    let none = check_engine_version("15", &[]).expect_err("nothing is live");
    assert_eq!(none.message, "AWS lists no live version of Aurora PostgreSQL in this region");
}
