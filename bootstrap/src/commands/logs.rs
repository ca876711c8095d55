//! CloudWatch Logs of the services, merged by time; or of a run's functions.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::failed;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::builders::FilterLogEventsFluentBuilder;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use clap::Args;
use futures_util::future::try_join_all;
use jiff::{Span, SpanRelativeTo, Timestamp};
use owo_colors::{AnsiColors, Style};
use serde::Serialize;
use statemachine::definition::FUNCTIONS;
use statemachine::error::Optional as _;

use super::missing::{no_environment, no_run, unknown};
use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show::{self, Page};

/// How often new lines are asked for.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Lines of one second may come in any order, and late: so much is read again.
const LATE_MS: i64 = 10_000;

/// `logs`
#[derive(Debug, Args)]
pub struct Logs {
    /// The services; else all
    pub services: Vec<String>,
    /// Go on as new lines come
    #[arg(short, long)]
    pub follow: bool,
    /// How far back: `90s`, `15m`, `1h`, `2d`
    #[arg(long, default_value = "1h", value_name = "SPAN")]
    pub since: String,
    /// Only lines that match this CloudWatch filter pattern
    #[arg(long, value_name = "PATTERN")]
    pub filter: Option<String>,
    /// What the functions of this run have written, instead
    #[arg(long, value_name = "ID", conflicts_with_all = ["services", "follow"])]
    pub run: Option<String>,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Line {
    /// Milliseconds since the epoch.
    at_ms: i64,
    /// The service or function.
    source: String,
    text: String,
    /// CloudWatch's id of it.
    id: String,
}

/// All pages of a request.
pub(super) async fn page(request: FilterLogEventsFluentBuilder) -> Result<Vec<FilteredLogEvent>> {
    let pages = request.into_paginator().send().collect::<Result<Vec<_>, _>>().await;
    let pages = pages.map_err(failed("logs:FilterLogEvents")).optional()?.unwrap_or_default();
    Ok(pages.into_iter().flat_map(|page| page.events.unwrap_or_default()).collect())
}

pub(crate) async fn logs(global: &Global, logs: &Logs) -> Result<Code> {
    let session = Session::open(global).await?;
    if let Some(run) = &logs.run {
        return of_run(&session, run, logs).await;
    }
    let stack = session.accepted_stack().await?.ok_or_else(|| no_environment(&session))?;
    let known: Vec<String> = stack.services.keys().cloned().collect();
    if let Some(missing) = logs.services.iter().find(|service| !known.contains(service)) {
        return Err(unknown("service", missing, &known));
    }
    let services = if logs.services.is_empty() { known } else { logs.services.clone() };
    let groups: Vec<(String, String)> =
        services.iter().map(|service| (service.clone(), session.log_group(service))).collect();
    let since = now_ms() - span(&logs.since)?;
    tokio::select! {
        ended = print_new(&session, logs, &groups, &services, since) => ended.map(|()| Code::Done),
        _ = tokio::signal::ctrl_c() => Ok(Code::Done),
    }
}

/// Prints what there is, and with `--follow` what comes, until it is dropped.
async fn print_new(
    session: &Session,
    logs: &Logs,
    groups: &[(String, String)],
    services: &[String],
    mut since: i64,
) -> Result<()> {
    // The lines that were printed, with their times: so many as may be read once more.
    let mut seen: BTreeMap<(String, String), i64> = BTreeMap::new();
    loop {
        let mut lines = read(session, groups, since, logs.filter.as_deref()).await?;
        lines.retain(|line| seen.insert((line.source.clone(), line.id.clone()), line.at_ms).is_none());
        print(session, &lines, services);
        if !logs.follow {
            return Ok(());
        }
        since = now_ms() - LATE_MS;
        seen.retain(|_, at_ms| *at_ms >= since);
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// What the functions have written about a run.
async fn of_run(session: &Session, run: &str, logs: &Logs) -> Result<Code> {
    let Some(record) = session.run_record(run).await? else {
        return Err(no_run(run, &session.runs().await?));
    };
    let started = record.run.started_at.parse::<Timestamp>().map_or(0, Timestamp::as_millisecond);
    let groups: Vec<(String, String)> =
        FUNCTIONS.iter().map(|what| ((*what).to_owned(), session.scope.engine_log_group(what))).collect();
    let filter = logs.filter.clone().unwrap_or_else(|| format!("\"{run}\""));
    let mut lines = read(session, &groups, started, Some(&filter)).await?;
    lines.retain(|line| line.text.contains(run));
    let sources: Vec<String> = groups.into_iter().map(|(source, _)| source).collect();
    print(session, &lines, &sources);
    if lines.is_empty() && !session.json {
        show::note(
            "CloudWatch has no lines of this run: they may take some seconds, and go after their retention.",
        );
    }
    Ok(Code::Done)
}

/// The lines of all groups since a time, in their order.
async fn read(
    session: &Session,
    groups: &[(String, String)],
    since: i64,
    filter: Option<&str>,
) -> Result<Vec<Line>> {
    let client = aws_sdk_cloudwatchlogs::Client::new(&session.config);
    let pages = groups.iter().map(|(_, group)| {
        let request = client.filter_log_events().log_group_name(group).start_time(since);
        page(request.set_filter_pattern(filter.map(str::to_owned)))
    });
    let mut lines = Vec::new();
    for ((source, _), events) in groups.iter().zip(try_join_all(pages).await?) {
        lines.extend(events.into_iter().map(|event| Line {
            at_ms: event.timestamp().unwrap_or_default(),
            source: source.clone(),
            text: event.message().unwrap_or_default().trim_end().to_owned(),
            id: event.event_id().unwrap_or_default().to_owned(),
        }));
    }
    lines.sort();
    Ok(lines)
}

fn print(session: &Session, lines: &[Line], sources: &[String]) {
    let page = Page::stdout();
    for line in lines {
        if session.json {
            // JSON lines: a stream has no end to close an array with.
            show::line(&serde_json::to_string(line).unwrap_or_default());
        } else {
            show::line(&rendered(line, sources, page));
        }
    }
}

/// `10:15:02.120 api     GET /health 200`
fn rendered(line: &Line, sources: &[String], page: Page) -> String {
    const COLOURS: [AnsiColors; 5] =
        [AnsiColors::Cyan, AnsiColors::Green, AnsiColors::Magenta, AnsiColors::Yellow, AnsiColors::Blue];
    let position = sources.iter().position(|source| *source == line.source).unwrap_or(0);
    let width = sources.iter().map(String::len).max().unwrap_or(0);
    let at = Timestamp::from_millisecond(line.at_ms).unwrap_or_default().strftime("%H:%M:%S%.3f");
    let source = format!("{:width$}", line.source);
    let source = page.paint(&source, Style::new().color(COLOURS[position % COLOURS.len()]));
    // Escape sequences of a task are its own business, and not this terminal's.
    let text: String = line.text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
    format!("{at} {source} {text}")
}

/// Milliseconds of `90s`, `15m`, `1h`, `2d`.
fn span(text: &str) -> Result<i64> {
    let wrong = || {
        CliError::usage(format!("{text:?} is no span of time."))
            .help("Write it as `90s`, `15m`, `1h` or `2d`.")
    };
    let span: Span = text.parse().map_err(|_| wrong())?;
    // A unit above days has no fixed length, or is not worth a flag.
    if span.is_negative() || span.get_weeks() != 0 {
        return Err(wrong());
    }
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    i64::try_from(duration.as_millis()).map_err(|_| wrong())
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        assert_eq!(span("90s").expect("a span"), 90_000);
        assert_eq!(span("2d").expect("a span"), 172_800_000);
        for bad in ["", "h", "1", "-1h", "1w", "ä", "99999999999999d"] {
            assert_eq!(span(bad).expect_err(bad).code.number(), 2);
        }
    }

    #[test]
    fn lines_say_when_and_who_and_never_write_to_the_terminal() {
        let line = Line {
            at_ms: 1_795_429_000_120,
            source: "api".to_owned(),
            text: "GET \u{1b}[31m/health\t200".to_owned(),
            id: String::new(),
        };
        let sources = ["api", "worker"].map(str::to_owned);
        assert_eq!(rendered(&line, &sources, Page::plain(80)), "10:16:40.120 api    GET [31m/health\t200");
    }
}
