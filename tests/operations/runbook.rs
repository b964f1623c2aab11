//! The page for operators: every alert and dashboard has an entry, and every link leads somewhere.

use std::collections::BTreeSet;

use super::dashboards::{ALL, panels};
use super::rules::rules;
use super::text;

const PAGE: &str = "docs/operations.md";

/// The headings of a level.
fn headings(page: &str, level: usize) -> Vec<String> {
    let mark = format!("{} ", "#".repeat(level));
    let mut fenced = false;
    let mut found = Vec::new();
    for line in page.lines() {
        fenced ^= line.starts_with("```");
        if let Some(heading) = line.strip_prefix(&mark).filter(|_| !fenced) {
            found.push(heading.to_owned());
        }
    }
    found
}

/// As GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(
        |char: char| !(char.is_alphanumeric() || " -_".contains(char)),
        "",
    );
    kept.replace(' ', "-")
}

/// The text of a section, without its heading.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let begin = format!("\n## {heading}\n");
    let (_, rest) = page.split_once(&begin).expect("the section");
    rest.split("\n## ").next().unwrap_or_default()
}

#[test]
fn every_alert_has_an_entry_and_every_entry_an_alert() {
    let page = text(PAGE);
    let alerts = section(&page, "Alerts");
    let entries: BTreeSet<_> = headings(alerts, 3).into_iter().collect();
    let rules: BTreeSet<_> = rules().into_iter().map(|rule| rule.name).collect();
    assert_eq!(entries, rules);
    for entry in alerts.split("\n### ").skip(1) {
        let name = entry.lines().next().unwrap_or_default();
        for part in ["- Look at: ", "- Do: "] {
            assert!(entry.contains(part), "{name}: no {part}");
        }
        let starts = ["critical. ", "warning. "].map(|word| format!("{name}\n\n{word}"));
        let told = starts.iter().position(|start| entry.starts_with(start));
        let severity = told.map(|at| ["critical", "warning"][at]);
        assert_eq!(severity, Some(severity_of(name).as_str()), "{name}");
    }
}

fn severity_of(alert: &str) -> String {
    let rules = text("otel/alerts.yaml");
    let rule = rules
        .split("- alert: ")
        .find(|rule| rule.starts_with(&format!("{alert}\n")));
    let severity = rule.and_then(|rule| rule.split("severity: ").nth(1)?.lines().next());
    severity.expect("a severity").to_owned()
}

#[test]
fn every_dashboard_has_an_entry() {
    let page = text(PAGE);
    let entries = headings(section(&page, "Dashboards"), 3);
    assert_eq!(entries, ALL.map(|(_, title)| title));
}

/// Panels are written as *Dashboard*, "Panel".
#[test]
fn every_named_panel_exists() {
    let page = text(PAGE);
    let panels = panels();
    let mut named = 0;
    for (_, dashboard) in ALL {
        for told in page.split(&format!("*{dashboard}*, \"")).skip(1) {
            let title = told.split('"').next().unwrap_or_default();
            let found = panels.iter().any(|panel| {
                panel.dashboard == dashboard
                    && (panel.title() == title || panel.title().starts_with(&format!("{title}, ")))
            });
            assert!(found, "no panel {title:?} on {dashboard}");
            named += 1;
        }
    }
    assert!(named > 10, "{named} panels");
}

#[test]
fn every_link_within_the_pages_leads_somewhere() {
    for (page, others) in [(PAGE, ["docs/redis.md", "docs/faq.md", "README.md"])] {
        let text_of_page = text(page);
        let anchors = |page: &str| -> BTreeSet<String> {
            let levels = 1..=4;
            let headings = levels.flat_map(|level| headings(page, level));
            headings.map(|heading| anchor(&heading)).collect()
        };
        for link in text_of_page.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            let Some((file, wanted)) = link.split_once('#') else {
                continue;
            };
            let target = match file {
                "" => Some(page),
                file => others
                    .into_iter()
                    .find(|other| other.ends_with(file.trim_start_matches("../"))),
            };
            let Some(target) = target else { continue };
            assert!(anchors(&text(target)).contains(wanted), "{page}: {link}");
        }
    }
}

#[test]
fn anchors_are_those_of_github() {
    assert_eq!(anchor("Why was this call slow?"), "why-was-this-call-slow");
    assert_eq!(
        anchor("Permissions: an ACL user"),
        "permissions-an-acl-user"
    );
}
