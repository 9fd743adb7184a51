//! The numbers of a server as Prometheus reads them: one series a controller and metric, so that ten thousand controllers stay bearable;
//! how long commands take is a histogram of each driver.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use drydock_api::state::{BoxFuture, Metrics};
use drydock_drivers::oob::{Attended, FailureClass, LATENCY_CLASSES, Reading};
use drydock_model::store::Store;
use drydock_model::task::TaskStatus;
use drydock_orchestrator::engine::Engine;
use drydock_orchestrator::vitals::Vitals;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tracing::warn;

/// How long the store has to say how many tasks there are. Without an answer the other numbers are told: they are wanted most when the store
/// is in trouble, and Prometheus waits for ten seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who has the numbers.
pub(super) struct Numbers {
    /// The drivers of controllers.
    pub(super) attended: Vec<Arc<dyn Attended>>,
    /// The engine.
    pub(super) engine: Engine,
    /// The store.
    pub(super) store: Arc<dyn Store>,
}

impl Metrics for Numbers {
    fn text(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            let tasks = match tokio::time::timeout(PATIENCE, self.store.count_tasks()).await {
                Ok(Ok(tasks)) => Some(tasks),
                Ok(Err(error)) => {
                    warn!(%error, "the tasks could not be counted");
                    None
                }
                Err(_) => None,
            };
            let drivers = self.attended.iter();
            let snapshot = Snapshot {
                tasks,
                vitals: self.engine.vitals(),
                drivers: drivers
                    .map(|driver| (driver.name(), driver.readings()))
                    .collect(),
            };
            snapshot.text()
        })
    }
}

/// All numbers at one moment.
#[derive(Debug)]
struct Snapshot {
    /// `None`: the store did not tell.
    tasks: Option<Vec<(TaskStatus, u64)>>,
    vitals: Vitals,
    drivers: Vec<(&'static str, Vec<Reading>)>,
}

impl Snapshot {
    fn text(self) -> String {
        let mut registry = Registry::with_prefix("drydock");
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut text, &registry);
        text
    }

    fn engine(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Vitals {
            in_flight,
            leads,
            intents,
            outcomes,
        } = self.vitals;
        let steps = i64::try_from(in_flight).unwrap_or(i64::MAX);
        gauge(
            encoder,
            "steps_in_flight",
            "Steps that this process has in flight",
            None,
        )?
        .encode_gauge(&steps)?;
        gauge(
            encoder,
            "leader",
            "Whether this process leads: 1 or 0",
            None,
        )?
        .encode_gauge(&i64::from(leads))?;
        let mut journal = counter(
            encoder,
            "journal_writes",
            "Records that this process has written to the journal",
        )?;
        for (kind, count) in [("intent", intents), ("outcome", outcomes)] {
            journal
                .encode_family(&[("kind", kind)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        if let Some(tasks) = &self.tasks {
            let mut metric = gauge(encoder, "tasks", "Tasks in the store, by status", None)?;
            for status in TaskStatus::ALL {
                let found = tasks.iter().find(|(of, _)| of == status);
                let count = found.map_or(0, |(_, count)| i64::try_from(*count).unwrap_or(i64::MAX));
                metric
                    .encode_family(&[("status", status.as_str())])?
                    .encode_gauge(&count)?;
            }
        }
        Ok(())
    }

    fn controllers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, of) in COUNTERS {
            let mut metric = counter(encoder, name, help)?;
            for (driver, reading) in self.readings() {
                if let Some(count) = of(reading) {
                    let labels = [("driver", driver), ("bmc", reading.controller.as_str())];
                    metric
                        .encode_family(&labels)?
                        .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                }
            }
        }
        let help = "Commands that failed, or were held back: auth, busy, silent, held";
        let mut metric = counter(encoder, "oob_failures", help)?;
        for (driver, reading) in self.readings() {
            for (class, count) in FailureClass::ALL.iter().zip(reading.failures) {
                // What never happened is no series: most controllers never fail.
                if count > 0 {
                    let labels = [
                        ("driver", driver),
                        ("bmc", reading.controller.as_str()),
                        ("class", class.word()),
                    ];
                    metric
                        .encode_family(&labels)?
                        .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                }
            }
        }
        let help = "Pause that is kept between two commands";
        let mut metric = gauge(encoder, "oob_gap", help, Some(&Unit::Seconds))?;
        for (driver, reading) in self.readings() {
            let labels = [("driver", driver), ("bmc", reading.controller.as_str())];
            metric
                .encode_family(&labels)?
                .encode_gauge(&reading.gap.as_secs_f64())?;
        }
        let help =
            "Whether the controller is left alone, since it did not answer several times: 1 or 0";
        let mut metric = gauge(encoder, "oob_left_alone", help, None)?;
        for (driver, reading) in self.readings() {
            let labels = [("driver", driver), ("bmc", reading.controller.as_str())];
            metric
                .encode_family(&labels)?
                .encode_gauge(&i64::from(reading.left_alone))?;
        }
        Ok(())
    }

    fn latency(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(
            "oob_command_duration",
            "How long commands to controllers take, without the pause before them",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        let ends = LATENCY_CLASSES
            .iter()
            .map(|millis| *millis as f64 / 1000.0)
            .chain([f64::INFINITY]);
        for (driver, readings) in &self.drivers {
            let buckets: Vec<(f64, u64)> = ends
                .clone()
                .enumerate()
                .map(|(at, end)| {
                    let count = readings
                        .iter()
                        .filter_map(|reading| reading.latency.get(at));
                    (end, count.sum())
                })
                .collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            let sum: Duration = readings.iter().map(|reading| reading.latency_sum).sum();
            metric
                .encode_family(&[("driver", *driver)])?
                .encode_histogram::<NoLabelSet>(sum.as_secs_f64(), count, &buckets, None)?;
        }
        Ok(())
    }

    fn readings(&self) -> impl Iterator<Item = (&'static str, &Reading)> {
        let drivers = self.drivers.iter();
        drivers.flat_map(|(driver, readings)| readings.iter().map(|reading| (*driver, reading)))
    }
}

type Count = fn(&Reading) -> Option<u64>;

/// Counters of which each controller has one.
const COUNTERS: [(&str, &str, Count); 4] = [
    ("oob_commands", "Commands that were sent", |reading| {
        Some(reading.commands)
    }),
    (
        "oob_requests",
        "Datagrams or requests that were sent for the first time",
        |reading| reading.requests,
    ),
    (
        "oob_retransmissions",
        "Datagrams or requests that were sent again",
        |reading| reading.retransmissions,
    ),
    (
        "oob_command_time_ms",
        "Time of all commands together, in milliseconds",
        |reading| u64::try_from(reading.latency_sum.as_millis()).ok(),
    ),
];

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.engine(&mut encoder)?;
        self.controllers(&mut encoder)?;
        self.latency(&mut encoder)
    }
}

fn gauge<'s>(
    encoder: &'s mut DescriptorEncoder<'_>,
    name: &'s str,
    help: &str,
    unit: Option<&'s Unit>,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    encoder.encode_descriptor(name, help, unit, MetricType::Gauge)
}

fn counter<'s>(
    encoder: &'s mut DescriptorEncoder<'_>,
    name: &'s str,
    help: &str,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_can_be_read_by_prometheus() {
        let mut reading = Reading {
            controller: "127.0.0.9:623".into(),
            commands: 3,
            failures: [0, 1, 0, 0],
            requests: Some(20),
            retransmissions: Some(2),
            gap: Duration::from_millis(250),
            left_alone: true,
            latency_sum: Duration::from_millis(1500),
            ..Reading::default()
        };
        reading.latency[0] = 2;
        reading.latency[LATENCY_CLASSES.len()] = 1;
        let snapshot = Snapshot {
            tasks: Some(vec![(TaskStatus::Running, 4)]),
            vitals: Vitals {
                in_flight: 7,
                leads: true,
                intents: 5,
                outcomes: 4,
            },
            drivers: vec![("ipmi", vec![reading]), ("redfish", Vec::new())],
        };
        let text = snapshot.text();
        let of = "{driver=\"ipmi\",bmc=\"127.0.0.9:623\"}";
        for line in [
            "drydock_steps_in_flight 7".to_owned(),
            "drydock_leader 1".to_owned(),
            "drydock_journal_writes_total{kind=\"intent\"} 5".to_owned(),
            "drydock_tasks{status=\"running\"} 4".to_owned(),
            "drydock_tasks{status=\"queued\"} 0".to_owned(),
            format!("drydock_oob_commands_total{of} 3"),
            format!("drydock_oob_requests_total{of} 20"),
            format!("drydock_oob_retransmissions_total{of} 2"),
            "drydock_oob_failures_total{driver=\"ipmi\",bmc=\"127.0.0.9:623\",class=\"busy\"} 1"
                .to_owned(),
            format!("drydock_oob_gap_seconds{of} 0.25"),
            format!("drydock_oob_left_alone{of} 1"),
            "drydock_oob_command_duration_seconds_bucket{le=\"0.01\",driver=\"ipmi\"} 2".to_owned(),
            "drydock_oob_command_duration_seconds_bucket{le=\"+Inf\",driver=\"ipmi\"} 3".to_owned(),
            "drydock_oob_command_duration_seconds_sum{driver=\"ipmi\"} 1.5".to_owned(),
            "drydock_oob_command_duration_seconds_count{driver=\"ipmi\"} 3".to_owned(),
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
        assert!(text.contains("duration_seconds_sum{driver=\"redfish\"} 0.0\n"));
        assert!(text.ends_with("# EOF\n"), "{text}");
        // Each metric is described once, before its series.
        let mut described: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .collect();
        let all = described.len();
        described.sort_unstable();
        described.dedup();
        assert_eq!(described.len(), all, "{text}");
    }
}
