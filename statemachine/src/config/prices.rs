//! What the way out costs: the one choice of the file whose price surprises people.

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
