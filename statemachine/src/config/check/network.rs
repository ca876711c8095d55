//! Addresses: the VPC's, and its four subnets'.

use ipnet::Ipv4Net;

use super::super::stack::{Network, NetworkTable};
use super::super::words::{dotted, quoted};
use super::Check;

/// The private ranges of RFC 1918.
const PRIVATE_RANGES: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
/// The longest prefix of a subnet: AWS keeps 5 of its 16 addresses (CreateSubnet).
const LONGEST_PREFIX: u8 = 28;
/// The shortest prefix of a VPC or subnet (CreateVpc).
const SHORTEST_PREFIX: u8 = 16;
/// The longest prefix of a VPC that holds four of the smallest subnets.
const LONGEST_VPC_PREFIX: u8 = LONGEST_PREFIX - 2;

/// The networks that the text means; where something is wrong with it, others that do no harm.
pub(super) fn network(check: &mut Check<'_>, table: &NetworkTable) -> Network {
    let NetworkTable { cidr, public_subnets, private_subnets, egress } = table;
    let egress = *egress;
    let vpc = vpc(check, cidr);
    // Where the VPC is at fault, its subnets are not judged: they would only repeat it.
    let (public, private) = default_subnets(vpc.unwrap_or(default_vpc()));
    let Some(vpc) = vpc else {
        return Network { cidr: default_vpc(), public_subnets: public, private_subnets: private, egress };
    };
    let given = [("public_subnets", public_subnets, public), ("private_subnets", private_subnets, private)];
    let mut subnets: Vec<Subnet> = Vec::new();
    for (key, texts, defaults) in given {
        for (index, default) in defaults.into_iter().enumerate() {
            let text = texts.as_ref().map(|texts| texts[index].as_str());
            let net = text.map_or(Some(default), |text| subnet(check, key, index, text, vpc));
            if let Some(net) = net {
                let subnet = Subnet { key, index, net, is_default: text.is_none() };
                overlaps(check, &subnets, &subnet);
                subnets.push(subnet);
            }
        }
    }
    match subnets.as_slice() {
        [a, b, c, d] => {
            Network { cidr: vpc, public_subnets: [a.net, b.net], private_subnets: [c.net, d.net], egress }
        }
        _ => Network { cidr: vpc, public_subnets: public, private_subnets: private, egress },
    }
}

/// One of the four, with where it was written.
struct Subnet {
    key: &'static str,
    index: usize,
    net: Ipv4Net,
    is_default: bool,
}

impl Subnet {
    fn words(&self) -> String {
        let Self { key, index, net, is_default } = self;
        format!("`{key}[{index}]` {net}{}", if *is_default { " (the default)" } else { "" })
    }
}

fn vpc(check: &mut Check<'_>, text: &str) -> Option<Ipv4Net> {
    let path = ["network", "cidr"];
    let net = parse_network(check, &path, text)?;
    let is_private = PRIVATE_RANGES
        .iter()
        .filter_map(|range| range.parse::<Ipv4Net>().ok())
        .any(|range| range.contains(&net));
    let prefix = net.prefix_len();
    if prefix < SHORTEST_PREFIX {
        check.problem(
            &path,
            format!("`network.cidr` {net} is too large: a VPC is /{SHORTEST_PREFIX} at most"),
            format!("write {}/{SHORTEST_PREFIX}", net.network()),
        );
        return None;
    }
    if !is_private {
        check.problem(
            &path,
            format!("`network.cidr` {net} holds public addresses, which would then be out of reach"),
            format!("choose one inside a private range: {}", PRIVATE_RANGES.join(", ")),
        );
        return None;
    }
    if prefix > LONGEST_VPC_PREFIX {
        check.problem(
            &path,
            format!(
                "`network.cidr` {net} is too small: four subnets of at least 16 addresses need a /{LONGEST_VPC_PREFIX}"
            ),
            format!("write {} or larger; /16 leaves room to grow", at(u32::from(net.network()), LONGEST_VPC_PREFIX)),
        );
        return None;
    }
    Some(net)
}

fn subnet(check: &mut Check<'_>, key: &str, index: usize, text: &str, vpc: Ipv4Net) -> Option<Ipv4Net> {
    let place = index.to_string();
    let path = ["network", key, place.as_str()];
    let net = parse_network(check, &path, text)?;
    if !vpc.contains(&net) {
        check.problem(
            &path,
            format!("`{key}[{index}]` {net} is not inside the VPC's {vpc}"),
            format!("choose one from {} to {}", vpc.network(), vpc.broadcast()),
        );
        return None;
    }
    if net.prefix_len() > LONGEST_PREFIX {
        check.problem(
            &path,
            format!("`{key}[{index}]` {net} is too small: a subnet has 16 addresses at least"),
            format!("a subnet is /{LONGEST_PREFIX} or larger; /24 is usual"),
        );
        return None;
    }
    Some(net)
}

/// A network in the notation 10.0.0.0/16, or a problem at `path`.
fn parse_network(check: &mut Check<'_>, path: &[&str], text: &str) -> Option<Ipv4Net> {
    let name = dotted(path);
    let Ok(net) = text.parse::<Ipv4Net>() else {
        let is_v6 = text.parse::<ipnet::Ipv6Net>().is_ok();
        let is_bare = text.parse::<std::net::Ipv4Addr>().is_ok();
        let help = if is_v6 {
            "write IPv4 addresses".to_owned()
        } else if is_bare {
            format!("add the length of the network: \"{text}/{}\"", if path.len() > 2 { 24 } else { 16 })
        } else {
            "networks are written like 10.0.0.0/16".to_owned()
        };
        check.problem(path, format!("`{name}` {} is not an IPv4 network", quoted(text)), help);
        return None;
    };
    if net.addr() != net.network() {
        check.problem(
            path,
            format!("`{name}` {net} is an address inside a network, not a network"),
            format!("the network is {}", net.trunc()),
        );
        return None;
    }
    Some(net)
}

fn overlaps(check: &mut Check<'_>, earlier: &[Subnet], subnet: &Subnet) {
    for other in earlier {
        if !(other.net.contains(&subnet.net) || subnet.net.contains(&other.net)) {
            continue;
        }
        // The one that a person wrote is the one that can be changed.
        let written = if subnet.is_default { other } else { subnet };
        let index = written.index.to_string();
        let help = if subnet.is_default || other.is_default {
            "write all four subnets, or choose other addresses"
        } else {
            "give each subnet addresses of its own"
        };
        check.problem(
            &["network", written.key, &index],
            format!("{} overlaps {}", subnet.words(), other.words()),
            help,
        );
    }
}

/// Public and private subnets of a VPC that names none.
///
/// A /16 gets its third octets 1, 2, 11 and 12, as the reference stack has them; a smaller one is split into
/// four equal parts.
fn default_subnets(vpc: Ipv4Net) -> ([Ipv4Net; 2], [Ipv4Net; 2]) {
    let base = u32::from(vpc.network());
    if vpc.prefix_len() == 16 {
        let third_octet = |octet: u32| at(base + (octet << 8), 24);
        return ([third_octet(1), third_octet(2)], [third_octet(11), third_octet(12)]);
    }
    let prefix = (vpc.prefix_len() + 2).min(32);
    let size = 1_u32 << (32 - prefix);
    let quarter = |index: u32| at(base + index * size, prefix);
    ([quarter(0), quarter(1)], [quarter(2), quarter(3)])
}

fn default_vpc() -> Ipv4Net {
    at(u32::from(std::net::Ipv4Addr::new(10, 0, 0, 0)), 16)
}

fn at(address: u32, prefix: u8) -> Ipv4Net {
    Ipv4Net::new(address.into(), prefix).expect("prefixes here are at most 32").trunc()
}
