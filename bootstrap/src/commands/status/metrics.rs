//! What CloudWatch measured in the last hour, in one call.

use std::collections::BTreeMap;

use aws::failed;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use jiff::Timestamp;

use crate::session::Session;

/// Seconds that the metrics are of.
const HOUR: i64 = 3_600;

/// What CloudWatch is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    /// A service's use of its CPU, percent.
    Cpu(String),
    /// A service's use of its memory, percent.
    Memory(String),
    /// A service's running tasks, minute by minute.
    Tasks(String),
    /// Requests to the load balancer.
    Requests,
}

/// Metrics of the last hour in one call: each with its values, one for each period that has any. `None` where
/// CloudWatch cannot be asked.
pub(super) async fn metrics<'a>(
    session: &Session,
    cluster: &str,
    services: impl Iterator<Item = &'a str>,
    balancer: Option<&str>,
) -> Option<BTreeMap<Measure, Vec<f64>>> {
    // `app/arive-production/50dc6c495c0c9188` of its ARN.
    let balancer = balancer.and_then(|arn| arn.split_once("loadbalancer/")).map(|(_, name)| name);
    let queries = queries(cluster, services, balancer);
    let now = Timestamp::now().as_second();
    let time = aws_sdk_cloudwatch::primitives::DateTime::from_secs;
    let get = aws_sdk_cloudwatch::Client::new(&session.config)
        .get_metric_data()
        .set_metric_data_queries(Some(queries.iter().map(|(_, query)| query.clone()).collect()))
        .start_time(time(now - HOUR))
        .end_time(time(now));
    let data = get.send().await.map_err(failed("cloudwatch:GetMetricData")).ok()?;
    let values = data.metric_data_results().iter().filter_map(|result| {
        let (measure, _) = queries.iter().find(|(_, query)| query.id() == result.id())?;
        Some((measure.clone(), result.values().to_vec()))
    });
    Some(values.collect())
}

/// The queries. Periods divide the hour: CloudWatch begins each at a multiple of itself, so a period of an hour
/// would be two halves of hours.
fn queries<'a>(
    cluster: &str,
    services: impl Iterator<Item = &'a str>,
    balancer: Option<&str>,
) -> Vec<(Measure, MetricDataQuery)> {
    const MINUTES: i32 = 60;
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let mut queries = Vec::new();
    let mut ask = |measure: Measure, stat: &str, period: i32, metric: Metric| {
        // Ids are letters, digits and underscores, a lower-case letter first; services have hyphens.
        let id = format!("q{}", queries.len());
        let stat = MetricStat::builder().metric(metric).period(period).stat(stat).build();
        queries.push((measure, MetricDataQuery::builder().id(id).metric_stat(stat).build()));
    };
    for service in services {
        let metric = |name: &str| {
            Metric::builder()
                .namespace("AWS/ECS")
                .metric_name(name)
                .dimensions(dimension("ClusterName", cluster))
                .dimensions(dimension("ServiceName", service))
                .build()
        };
        ask(Measure::Cpu(service.to_owned()), "Average", 5 * MINUTES, metric("CPUUtilization"));
        ask(Measure::Memory(service.to_owned()), "Average", 5 * MINUTES, metric("MemoryUtilization"));
        // ECS sends one sample a minute for each running task (ECS Developer Guide, "Service RUNNING task count").
        ask(Measure::Tasks(service.to_owned()), "SampleCount", MINUTES, metric("CPUUtilization"));
    }
    if let Some(balancer) = balancer {
        let metric = Metric::builder()
            .namespace("AWS/ApplicationELB")
            .metric_name("RequestCount")
            .dimensions(dimension("LoadBalancer", balancer));
        ask(Measure::Requests, "Sum", 5 * MINUTES, metric.build());
    }
    queries
}

/// The mean; `None` of none.
pub(super) fn mean(values: Option<&Vec<f64>>) -> Option<f64> {
    let values = values.filter(|values| !values.is_empty())?;
    let number = u32::try_from(values.len()).ok()?;
    Some(values.iter().sum::<f64>() / f64::from(number))
}

/// Least and most, as whole numbers.
pub(super) fn range(values: Option<&Vec<f64>>) -> Option<(u32, u32)> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, and the cast saturates"
    )]
    let whole = |value: f64| value.round() as u32;
    let values = values?.iter().copied().map(whole);
    values.clone().min().zip(values.max())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_asks_for_each_service_and_the_load_balancer() {
        let queries = queries(
            "arive-production",
            ["api", "log-worker"].into_iter(),
            Some("app/arive-production/50dc6c4"),
        );
        assert_eq!(queries.len(), 7);
        let ids: std::collections::BTreeSet<_> = queries.iter().filter_map(|(_, query)| query.id()).collect();
        assert_eq!(ids.len(), 7, "each has an id of its own");
        let good = |id: &&str| id.starts_with('q') && id[1..].bytes().all(|byte| byte.is_ascii_digit());
        assert!(ids.iter().all(good), "{ids:?}");
        for (measure, query) in &queries {
            let stat = query.metric_stat().expect("a stat");
            let metric = stat.metric().expect("a metric");
            let dimensions: Vec<_> = metric.dimensions().iter().filter_map(Dimension::value).collect();
            let expected = match measure {
                Measure::Cpu(service) => ("CPUUtilization", "Average", vec!["arive-production", service]),
                Measure::Memory(service) => {
                    ("MemoryUtilization", "Average", vec!["arive-production", service])
                }
                Measure::Tasks(service) => {
                    ("CPUUtilization", "SampleCount", vec!["arive-production", service])
                }
                Measure::Requests => ("RequestCount", "Sum", vec!["app/arive-production/50dc6c4"]),
            };
            let is = (metric.metric_name().unwrap_or_default(), stat.stat().unwrap_or_default(), dimensions);
            assert_eq!(is, expected);
            assert_eq!(i32::try_from(HOUR).expect("small") % stat.period().unwrap_or_default(), 0);
        }
    }

    #[test]
    fn values_are_summed_up_and_none_is_no_data() {
        assert_eq!(mean(Some(&vec![10.0, 20.0, 60.0])), Some(30.0));
        assert_eq!((mean(Some(&Vec::new())), mean(None)), (None, None));
        assert_eq!(range(Some(&vec![2.0, 5.0, 3.0])), Some((2, 5)));
        assert_eq!((range(Some(&Vec::new())), range(None)), (None, None));
    }
}
