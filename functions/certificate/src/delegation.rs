//! Whether the world finds the hosted zone: the domain's public name servers must be the zone's.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hickory_resolver::proto::rr::RecordType;

/// Longest to wait for the DNS.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What the public DNS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegation {
    /// The domain's name servers are the zone's.
    Here,
    /// They are others; none when nobody has the domain.
    Elsewhere(Vec<String>),
    /// Nobody answered, or nobody was asked. Never "fine".
    NotChecked(String),
}

/// Who asks the DNS.
pub trait Resolver: Send + Sync {
    /// Compares the public name servers of `zone` with `servers`.
    fn delegation<'a>(&'a self, zone: &'a str, servers: &'a [String]) -> BoxFuture<'a, Delegation>;
}

/// The machine's own resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolver {
    /// Nobody delegates a domain to an emulator.
    pub emulated: bool,
}

impl Resolver for SystemResolver {
    fn delegation<'a>(&'a self, zone: &'a str, servers: &'a [String]) -> BoxFuture<'a, Delegation> {
        Box::pin(async move {
            if self.emulated {
                return Delegation::NotChecked("AWS is an emulator".to_owned());
            }
            match ask(zone).await {
                Ok(found) => compare(&found, servers),
                Err(why) => Delegation::NotChecked(why),
            }
        })
    }
}

async fn ask(zone: &str) -> Result<Vec<String>, String> {
    let mut builder = hickory_resolver::TokioResolver::builder_tokio().map_err(|error| error.to_string())?;
    builder.options_mut().timeout = TIMEOUT;
    builder.options_mut().attempts = 1;
    let resolver = builder.build().map_err(|error| error.to_string())?;
    match resolver.lookup(format!("{}.", zone.trim_end_matches('.')), RecordType::NS).await {
        Ok(lookup) => Ok(lookup.answers().iter().map(|record| record.data.to_string()).collect()),
        // The DNS answered that there are none: that is an answer.
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}

fn compare(found: &[String], servers: &[String]) -> Delegation {
    let plain = |name: &String| name.trim_end_matches('.').to_ascii_lowercase();
    let (public, own): (BTreeSet<_>, BTreeSet<_>) =
        (found.iter().map(plain).collect(), servers.iter().map(plain).collect());
    if !public.is_empty() && public.is_subset(&own) {
        Delegation::Here
    } else {
        Delegation::Elsewhere(public.into_iter().collect())
    }
}

/// What the user has to do about it.
pub fn what_to_do(domain: &str, servers: &[String], found: &[String]) -> String {
    let now = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    format!(
        "At your registrar, point the name servers of {domain} to {}. They are {now} now. The next apply goes on from there.",
        servers.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_domain_is_here_only_when_its_public_servers_are_the_zones() {
        let zone = names(&["ns-1.awsdns-00.com", "ns-2.awsdns-01.net"]);
        assert_eq!(compare(&names(&["NS-1.awsdns-00.com."]), &zone), Delegation::Here);
        assert_eq!(
            compare(&names(&["ns1.other.example."]), &zone),
            Delegation::Elsewhere(names(&["ns1.other.example"]))
        );
        assert_eq!(compare(&[], &zone), Delegation::Elsewhere(vec![]), "nobody has the domain");
    }

    #[test]
    fn what_to_do_names_both_sides() {
        let text = what_to_do("tryarive.com", &names(&["ns-1.awsdns-00.com"]), &[]);
        assert_eq!(
            text,
            "At your registrar, point the name servers of tryarive.com to ns-1.awsdns-00.com. They are none now. The next apply goes on from there."
        );
    }

    #[tokio::test]
    async fn an_emulator_is_never_asked_about() {
        let answer = SystemResolver { emulated: true }.delegation("tryarive.com", &[]).await;
        assert!(matches!(answer, Delegation::NotChecked(_)));
    }
}
