//! The document stays under what Step Functions carries, whatever the stages report.

use statemachine::Stage;
use statemachine::message::{Document, Operation, Report, Slot, StageReport, Told};
use statemachine::plan::{Action, Item};
use statemachine::resource::Name;

/// The most that a payload of Step Functions may hold, in bytes ("Quotas" in its developer guide).
const PAYLOAD_BYTES: usize = 262_144;

/// A look of `count` resources, each with a description of about 400 bytes.
fn look(stage: Stage, count: usize) -> StageReport {
    let item = |number: usize| Item {
        to: Some(serde_json::json!({ "policy": "x".repeat(400) })),
        ..Item::new(Name::new("thing", number.to_string()), Action::Create)
    };
    Slot::default().with(stage, Told { items: (0..count).map(item).collect(), ..Told::default() })
}

#[test]
fn a_small_report_travels_and_a_large_one_does_not() {
    let (small, large) = (look(Stage::Network, 25), look(Stage::Network, 50));
    assert_eq!(Slot::default().after(small.clone(), 1).report(Stage::Network), Some(small));
    let slot = Slot::default().after(large, 1);
    assert_eq!((slot.report, slot.to_do), (Report::Recorded, 50));
}

#[test]
fn with_a_report_of_every_stage_half_of_the_payload_is_left() {
    let count =
        (1..100).take_while(|count| look(Stage::Network, *count).travels()).last().expect("one travels");
    let mut document = Document::example(Operation::Apply, None);
    for stage in Stage::ALL {
        document.stages[stage] = Slot::default().after(look(stage, count), 1);
    }
    let bytes = serde_json::to_vec(&document).expect("JSON").len();
    assert!(bytes > 7 * 15_000, "the reports are in it: {bytes}");
    assert!(bytes < PAYLOAD_BYTES / 2, "{bytes}");
}
