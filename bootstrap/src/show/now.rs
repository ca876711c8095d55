//! What runs now, as a person reads it.

use serde::Serialize;

use super::{Page, table};

/// A service as ECS tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ServiceNow {
    /// Its name.
    pub service: String,
    /// Tasks that should run.
    pub desired: i32,
    /// Tasks that do.
    pub running: i32,
    /// The image's digest.
    pub digest: String,
    /// The release that the digest is of, where it is one.
    pub release: Option<u32>,
    /// Why tasks stopped lately, with how often, the most frequent first.
    pub stopped: Vec<(String, usize)>,
    /// Percent of CPU and of memory over the last hour, where CloudWatch has any.
    pub cpu: Option<f64>,
    /// See `cpu`.
    pub memory: Option<f64>,
    /// Fewest and most tasks that ran in the last hour, where CloudWatch knows.
    pub tasks: Option<(u32, u32)>,
}

/// The database as RDS tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatabaseNow {
    /// The cluster.
    pub cluster: String,
    /// AWS's word.
    pub status: String,
    /// Least and most capacity, in ACUs.
    pub acu: (f64, f64),
    /// Where it is reached.
    pub endpoint: String,
}

/// What runs now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Now {
    /// Where it answers, as the last good run put it out.
    pub url: Option<String>,
    /// The services.
    pub services: Vec<ServiceNow>,
    /// The database, where the stack has one.
    pub database: Option<DatabaseNow>,
    /// The certificate's status, where there is one.
    pub certificate: Option<String>,
    /// Requests of the last hour, where CloudWatch has any.
    pub requests: Option<f64>,
    /// What operations have laid over the file.
    pub notes: Vec<String>,
    /// Runs that wait for their turn.
    pub waiting: Vec<String>,
}

/// What runs now, one line each.
pub fn now(now: &Now, page: Page) -> Vec<String> {
    let mut lines = Vec::new();
    let percent =
        |value: Option<f64>| value.map_or_else(|| "no data".to_owned(), |value| format!("{value:.0} %"));
    if !now.services.is_empty() {
        let mut rows = vec![
            ["SERVICE", "RUNS", "IMAGE", "RELEASE", "CPU", "MEMORY", "TASKS"].map(str::to_owned).to_vec(),
        ];
        rows.extend(now.services.iter().map(|one| {
            vec![
                one.service.clone(),
                format!("{} of {}", one.running, one.desired),
                one.digest.strip_prefix("sha256:").unwrap_or(&one.digest).chars().take(12).collect(),
                one.release.map(|number| number.to_string()).unwrap_or_default(),
                percent(one.cpu),
                percent(one.memory),
                match one.tasks {
                    None => "no data".to_owned(),
                    Some((fewest, most)) if fewest == most => fewest.to_string(),
                    Some((fewest, most)) => format!("{fewest} to {most}"),
                },
            ]
        }));
        lines.extend(table(&rows));
        lines.push("CPU, memory and tasks are of the last hour.".to_owned());
        for one in &now.services {
            for (why, times) in &one.stopped {
                let times = if *times == 1 { String::new() } else { format!(" ({times} times)") };
                lines.extend(page.hang(&format!("  {} stopped: ", one.service), &format!("{why}{times}")));
            }
        }
        lines.push(String::new());
    }
    let mut rows = Vec::new();
    rows.extend(now.url.iter().map(|url| ("URL", url.clone())));
    if let Some(database) = &now.database {
        let (least, most) = database.acu;
        rows.push((
            "Database",
            format!(
                "{} {}, {least} to {most} ACU, at {}",
                database.cluster, database.status, database.endpoint
            ),
        ));
    }
    rows.extend(now.certificate.iter().map(|certificate| ("Certificate", certificate.clone())));
    if !now.services.is_empty() {
        let requests = now.requests.map_or_else(|| "no data".to_owned(), |requests| format!("{requests:.0}"));
        rows.push(("Requests", format!("{requests} in the last hour")));
    }
    rows.extend(now.waiting.iter().map(|run| ("Waiting", format!("run {run} for its turn"))));
    rows.extend(now.notes.iter().map(|note| ("Note", note.clone())));
    for (what, text) in rows {
        lines.extend(page.hang(&format!("{what:<12} "), &text));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_fits_the_page() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let api = ServiceNow {
            service: "api".to_owned(),
            desired: 3,
            running: 2,
            digest: digest.clone(),
            release: Some(12),
            stopped: vec![
                ("Task failed ELB health checks in (target-group arive-production-api)".to_owned(), 4),
                ("Essential container in task exited (exit code 137)".to_owned(), 1),
            ],
            cpu: Some(41.6),
            memory: Some(73.2),
            tasks: Some((2, 5)),
        };
        let worker =
            ServiceNow { service: "worker".to_owned(), digest, tasks: Some((1, 1)), ..ServiceNow::default() };
        let all = Now {
            url: Some("https://api.tryarive.com".to_owned()),
            services: vec![api, worker],
            database: Some(DatabaseNow {
                cluster: "arive-production-2".to_owned(),
                status: "available".to_owned(),
                acu: (0.5, 4.0),
                endpoint: "arive-production-2.cluster-abc.us-east-1.rds.amazonaws.com".to_owned(),
            }),
            certificate: Some("issued".to_owned()),
            requests: Some(12_345.0),
            notes: vec![
                "worker runs 0 tasks instead of the file's 1: set by scale on 2026-11-23 (run 20261123-101500-abcd)."
                    .to_owned(),
            ],
            waiting: vec!["20261123-111500-00af".to_owned()],
        };
        for width in [80, 120] {
            let lines = now(&all, Page::plain(width));
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:#?}");
            insta::assert_snapshot!(format!("now_{width}"), lines.join("\n"));
        }
        insta::assert_snapshot!("now_nothing", now(&Now::default(), Page::plain(80)).join("\n"));
    }
}
