//! Against pages of other sites: DNS rebinding (the `Host` header) and forged requests (the `Origin` header).

use axum::http::{HeaderMap, StatusCode, header};

use crate::api::ApiError;

/// The names under which this server may be addressed.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// `None` allows every name: a server that is open to a network goes by names that it does not know.
    allowed: Option<Vec<String>>,
}

impl Hosts {
    /// The names for a server that listens on `ip`: on a loopback address only those of the loopback and `more`.
    pub fn for_bind(ip: std::net::IpAddr, more: &[String]) -> Self {
        if !ip.is_loopback() && more.is_empty() {
            return Self { allowed: None };
        }
        let mut allowed: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(String::from).into();
        allowed.push(match ip {
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        });
        allowed.extend(more.iter().map(|name| name.to_ascii_lowercase()));
        Self { allowed: Some(allowed) }
    }

    fn allow(&self, host: &str) -> bool {
        let Some(allowed) = &self.allowed else { return true };
        let name = without_port(host).to_ascii_lowercase();
        allowed.contains(&name) || name.ends_with(".localhost")
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Refuses a request that was addressed to another name: a page on a foreign name that was pointed at this address.
///
/// # Errors
/// 403 that names the host.
pub fn check_host(hosts: &Hosts, headers: &HeaderMap) -> Result<(), ApiError> {
    let host = text(headers, header::HOST).unwrap_or_default();
    if hosts.allow(host) {
        return Ok(());
    }
    let shown: String = host.chars().take(100).collect();
    Err(ApiError::new(StatusCode::FORBIDDEN, "foreign-host", format!("This server is not addressed as `{shown}`."))
        .remedy("Open the link that `recspeed serve` printed, or start it with --allow-host and that name."))
}

/// Refuses a changing request that a page of another site sends with the visitor's cookie.
///
/// # Errors
/// 403 that names the origin.
pub fn check_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    let host = text(headers, header::HOST).unwrap_or_default();
    let foreign = match text(headers, header::ORIGIN) {
        // The scheme may differ behind a proxy that ends TLS; the name and the port may not.
        Some(origin) => (origin.split_once("://").map(|(_, authority)| authority) != Some(host)).then_some(origin),
        // Programs send neither header; every browser sends at least one with a changing request.
        None => match headers.get("sec-fetch-site").and_then(|value| value.to_str().ok()) {
            None | Some("same-origin" | "none") => None,
            Some(site) => Some(site),
        },
    };
    let Some(foreign) = foreign else { return Ok(()) };
    let shown: String = foreign.chars().take(100).collect();
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "foreign-origin",
        format!("This request comes from another page (`{shown}`)."),
    )
    .remedy("Use the lab's own page, or a program with the owner's token."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_server_answers_only_to_loopback_names() {
        let hosts = Hosts::for_bind([127, 0, 0, 1].into(), &["Lab.example".into()]);
        for good in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "a.localhost:8080", "lab.example:8080"]
        {
            assert!(hosts.allow(good), "{good}");
        }
        for bad in
            ["", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "[::2]"]
        {
            assert!(!hosts.allow(bad), "{bad}");
        }
        assert!(Hosts::for_bind([0, 0, 0, 0].into(), &[]).allow("any.example"));
        assert!(!Hosts::for_bind([0, 0, 0, 0].into(), &["lab.example".into()]).allow("any.example"));
    }

    #[test]
    fn only_the_labs_own_page_may_change_something() {
        let of = |pairs: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(
                    header::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    header::HeaderValue::from_str(value).unwrap(),
                );
            }
            check_origin(&headers).is_ok()
        };
        let host = ("host", "127.0.0.1:8080");
        assert!(of(&[host]));
        assert!(of(&[host, ("origin", "http://127.0.0.1:8080")]));
        assert!(of(&[host, ("sec-fetch-site", "same-origin")]));
        for bad in ["http://127.0.0.1:9090", "https://evil.example", "null", "", "127.0.0.1:8080"] {
            assert!(!of(&[host, ("origin", bad)]), "{bad}");
        }
        assert!(!of(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!of(&[host, ("sec-fetch-site", "same-site")]));
    }
}
