//! Whom the system asks: the `nameserver` lines of `/etc/resolv.conf`, as resolv.conf(5) has them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, UdpSocket};

use rustix::net::netdevice;

/// What glibc uses of the list (`MAXNS`).
const MOST: usize = 3;
const PORT: u16 = 53;

/// The system's name servers; without any, the one on this machine.
pub(super) fn system() -> Vec<SocketAddr> {
    let text = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    name_servers(&String::from_utf8_lossy(&text), interface)
}

fn name_servers(text: &str, interface: impl Fn(&str) -> Option<u32>) -> Vec<SocketAddr> {
    let mut servers: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver"))
        .filter(|rest| rest.starts_with([' ', '\t']))
        .filter_map(|rest| server(rest.split_ascii_whitespace().next()?, &interface))
        .take(MOST)
        .collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, PORT).into());
    }
    servers
}

/// An address; one of IPv6 may name an interface (`fe80::1%eth0`, RFC 4007).
fn server(text: &str, interface: impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    match text.split_once('%') {
        Some((address, zone)) => {
            let zone = zone.parse().ok().or_else(|| interface(zone))?;
            Some(SocketAddrV6::new(address.parse().ok()?, PORT, 0, zone).into())
        }
        None => Some((text.parse::<IpAddr>().ok()?, PORT).into()),
    }
}

/// The number of an interface.
fn interface(name: &str) -> Option<u32> {
    let any = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    netdevice::name_to_index(&any, name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Vec<String> {
        let interface = |name: &str| (name == "eth0").then_some(7);
        name_servers(text, interface).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_servers_of_a_file_are_read_as_the_system_does() {
        let text = "# nameserver 192.0.2.1\n; nameserver 192.0.2.2\n nameserver 192.0.2.3\n\
                    search example.org\nnameservers 192.0.2.4\nnameserver\nnameserver nonsense\n\
                    nameserver\t 192.0.2.53 # ours\r\nnameserver fe80::1%eth0\n\
                    nameserver fe80::1%nowhere\nnameserver 2001:db8::53\nnameserver 192.0.2.54\n";
        assert_eq!(servers(text), ["192.0.2.53:53", "[fe80::1%7]:53", "[2001:db8::53]:53"]);
        assert_eq!(servers("nameserver fe80::2%3\n"), ["[fe80::2%3]:53"]);
    }

    #[test]
    fn without_any_the_machine_itself_is_asked() {
        assert_eq!(servers(""), ["127.0.0.1:53"]);
        assert_eq!(servers("options edns0\n"), ["127.0.0.1:53"]);
    }

    #[test]
    fn the_number_of_an_interface_is_asked_of_the_kernel() {
        assert_eq!(interface("lo"), Some(1));
        assert_eq!(interface("no such interface"), None);
    }
}
