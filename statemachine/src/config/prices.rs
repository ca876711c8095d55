//! What a stack costs a month: its way out, which is the one choice of the file whose price surprises people,
//! and what a pause saves. Every figure is a list price of us-east-1, without traffic and storage.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::stack::{Egress, Stack};

/// When the prices below were read; they are those of us-east-1, for 730 hours.
const AS_OF: &str = "2026-11";

/// US cents a month for one NAT gateway: $32.85 and $3.65 for its public address.
const NAT_GATEWAY: u32 = 3650;
/// US cents a month for one interface endpoint in one zone.
const INTERFACE_ENDPOINT: u32 = 730;
/// ECR's two (API and images), Secrets Manager and CloudWatch Logs, in one zone.
const INTERFACE_ENDPOINTS: u32 = 4;
/// US cents a month for one public IPv4 address.
const PUBLIC_ADDRESS: u32 = 365;

/// What a stack's way out costs a month, before traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthlyPrice {
    /// US cents.
    pub cents: u32,
    /// What is paid for: `one NAT gateway with its address`.
    pub what: String,
    /// What each GB costs on top, where it does: `$0.045`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_gb: Option<String>,
    /// The month that the prices are of: `2026-11`.
    pub as_of: String,
}

impl fmt::Display for MonthlyPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cents, what, per_gb, as_of } = self;
        write!(f, "${}.{:02} a month for {what}", cents / 100, cents % 100)?;
        if let Some(per_gb) = per_gb {
            write!(f, ", and {per_gb} a GB")?;
        }
        write!(f, " (us-east-1, {as_of})")
    }
}

/// The monthly price of a stack's egress, in us-east-1, from a dated list.
pub fn monthly_price(stack: &Stack) -> MonthlyPrice {
    let tasks: u32 = stack.services.values().map(|service| service.count).sum();
    let (cents, what, per_gb) = match stack.network.egress {
        Egress::Nat => (NAT_GATEWAY, "one NAT gateway with its address".to_owned(), Some("$0.045")),
        Egress::NatPerZone => {
            (2 * NAT_GATEWAY, "two NAT gateways with their addresses".to_owned(), Some("$0.045"))
        }
        Egress::Endpoints => (
            INTERFACE_ENDPOINTS * INTERFACE_ENDPOINT,
            "four interface endpoints in one zone".to_owned(),
            Some("$0.01"),
        ),
        Egress::Public if tasks == 1 => (PUBLIC_ADDRESS, "the public address of one task".to_owned(), None),
        Egress::Public => {
            (tasks.saturating_mul(PUBLIC_ADDRESS), format!("the public addresses of {tasks} tasks"), None)
        }
    };
    MonthlyPrice { cents, what, per_gb: per_gb.map(str::to_owned), as_of: AS_OF.to_owned() }
}

/// Fargate on ARM: dollars for one vCPU and for one GB, an hour.
const FARGATE_HOUR: (f64, f64) = (0.032_38, 0.003_56);
/// Aurora Serverless v2: dollars for one ACU, an hour.
const ACU_HOUR: f64 = 0.12;
/// A load balancer without its traffic, with an address in each of two zones.
const LOAD_BALANCER: f64 = 16.43 + 2.0 * 3.65;
/// Two secrets.
const SECRETS: f64 = 0.80;
/// A hosted zone.
const HOSTED_ZONE: f64 = 0.50;
/// Hours of a month.
const MONTH: f64 = 730.0;

/// What one part of a stack costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Price {
    /// `the NAT gateway`
    pub what: String,
    /// Dollars a month, in us-east-1, without traffic and storage.
    pub dollars: f64,
}

/// What a pause of a stack saves, and what costs on, in us-east-1, from a dated list. The database is counted
/// at its least capacity: more is saved where it was busy.
pub fn monthly_savings(stack: &Stack) -> (Vec<Price>, Vec<Price>) {
    let price = |what: &str, dollars: f64| Price { what: what.to_owned(), dollars };
    let dollars = |cents: u32| f64::from(cents) / 100.0;
    let (mut saved, mut stays) = (Vec::new(), Vec::new());
    let tasks = stack.services.values().map(|service| {
        let (cpu, memory) = (f64::from(service.cpu) / 1_024.0, f64::from(service.memory) / 1_024.0);
        f64::from(service.count) * (cpu * FARGATE_HOUR.0 + memory * FARGATE_HOUR.1) * MONTH
    });
    saved.push(price("the tasks", tasks.sum()));
    let gateways = |number: u32| dollars(number * (NAT_GATEWAY - PUBLIC_ADDRESS));
    let addresses = |number: u32| dollars(number * PUBLIC_ADDRESS);
    match stack.network.egress {
        Egress::Nat => {
            saved.push(price("the NAT gateway", gateways(1)));
            stays.push(price("its address", addresses(1)));
        }
        Egress::NatPerZone => {
            saved.push(price("the NAT gateways", gateways(2)));
            stays.push(price("their addresses", addresses(2)));
        }
        Egress::Endpoints => {
            saved.push(price("the endpoints", dollars(INTERFACE_ENDPOINTS * INTERFACE_ENDPOINT)));
        }
        Egress::Public => {
            let tasks = stack.services.values().map(|service| service.count).sum();
            saved.push(price("the tasks' addresses", addresses(tasks)));
        }
    }
    if let Some(database) = &stack.database {
        saved.push(price("the database's capacity", database.min_acu * ACU_HOUR * MONTH));
        stays.push(price("the secrets", SECRETS));
    }
    if stack.has_public_service() {
        stays.push(price("the load balancer", LOAD_BALANCER));
    }
    if stack.domain.is_some() {
        stays.push(price("the hosted zone", HOSTED_ZONE));
    }
    (saved, stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_saves_what_runs_and_keeps_what_stands() {
        let file = "app = \"arive\"\nenvironment = \"production\"\ndomain = \"tryarive.com\"\n[services.api]\nport = 8000\n[services.worker]\n[database]\n";
        let stack = crate::config::parse(file.as_bytes(), "stepstack.toml").expect("a good file");
        let (saved, stays) = monthly_savings(&stack);
        let total = |prices: &[Price]| prices.iter().map(|price| price.dollars).sum::<f64>();
        // Two tasks of 256 CPU and 512 MB, a gateway's hours, half an ACU.
        assert!((total(&saved) - (14.42 + 32.85 + 43.80)).abs() < 0.05, "{saved:?}");
        assert!((total(&stays) - (3.65 + 0.80 + 23.73 + 0.50)).abs() < 0.01, "{stays:?}");
    }
}
