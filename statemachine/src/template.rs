//! Files that are written for a user: a template beside the code, and the values that go into it.

use std::collections::BTreeSet;

/// What stands on both sides of a placeholder's name: `__APP__`. TOML and YAML have no use for it.
const MARK: &str = "__";

/// A template with its values in place of their placeholders. One that has a line for itself stands for whole
/// lines: as many as its value has, and none where it is empty.
///
/// # Panics
///
/// Where a placeholder has no value, or a value no placeholder: template and values are both ours, so whoever
/// changes one is to change the other.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut unused: BTreeSet<&str> = values.iter().map(|(name, _)| *name).collect();
    let mut value = |name: &str| {
        unused.remove(name);
        let found = values.iter().find(|(known, _)| *known == name);
        found.map_or_else(|| panic!("the template's {name} has no value"), |(_, value)| *value)
    };
    let mut text = String::new();
    for line in template.lines() {
        let mut parts = line.split(MARK);
        let before = parts.next().unwrap_or_default();
        let alone = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(MARK));
        if let Some(name) = alone.filter(|name| !name.contains(MARK)) {
            for line in value(name).lines() {
                text.push_str(line);
                text.push('\n');
            }
            continue;
        }
        text.push_str(before);
        while let Some(name) = parts.next() {
            text.push_str(value(name));
            text.push_str(parts.next().unwrap_or_else(|| panic!("{MARK}{name} has no end")));
        }
        text.push('\n');
    }
    assert!(unused.is_empty(), "the template has no place for {unused:?}");
    text
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn values_stand_in_lines_and_for_lines() {
        let template = "app = __APP__ # __APP__ of __ENV__\n__MORE__\n__NONE__\nend\n";
        let values = [("APP", "arive"), ("ENV", "a__b"), ("MORE", "one\ntwo"), ("NONE", "")];
        assert_eq!(fill(template, &values), "app = arive # arive of a__b\none\ntwo\nend\n");
    }

    #[test]
    #[should_panic(expected = "APP has no value")]
    fn a_placeholder_without_a_value_is_found() {
        fill("app = __APP__", &[]);
    }

    #[test]
    #[should_panic(expected = "no place for {\"APP\"}")]
    fn a_value_without_a_placeholder_is_found() {
        fill("app = 1", &[("APP", "arive")]);
    }

    #[test]
    #[should_panic(expected = "__APP has no end")]
    fn a_placeholder_without_an_end_is_found() {
        fill("app = __APP", &[("APP", "arive")]);
    }
}
