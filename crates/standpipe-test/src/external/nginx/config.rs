use std::fmt::Write as _;

use super::{NginxBuilder, Ports};

pub(super) const ACCESS_LOG: &str = "access.log";
pub(super) const CERT: &str = "cert.pem";
pub(super) const ERROR_LOG: &str = "error.log";
pub(super) const FILE: &str = "nginx.conf";
pub(super) const KEY: &str = "key.pem";
pub(super) const PID_FILE: &str = "nginx.pid";
pub(super) const ROOT: &str = "root";

/// A certificate and its key.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) cert_pem: String,
    pub(super) key_pem: String,
}

/// The text of nginx.conf. All paths in it are relative to the directory that it is in.
///
/// One process without a master: what is started is what is killed, and nothing changes its user.
pub(super) fn render(settings: &NginxBuilder, ports: Ports) -> String {
    format!(
        "daemon off;
master_process off;
pid {PID_FILE};
error_log stderr;
events {{ worker_connections 1000; }}
http {{
    log_format standpipe '$connection $connection_requests $request $status';
    access_log {ACCESS_LOG} standpipe;
    client_body_temp_path tmp-body;
    proxy_temp_path tmp-proxy;
    fastcgi_temp_path tmp-fastcgi;
    uwsgi_temp_path tmp-uwsgi;
    scgi_temp_path tmp-scgi;
    server {{
        root {ROOT};
{}    }}
}}
",
        server(settings, ports)
    )
}

fn server(settings: &NginxBuilder, ports: Ports) -> String {
    let mut lines = vec![format!("listen 127.0.0.1:{};", ports.http)];
    if let Some(port) = ports.https {
        let http2 = if settings.http2 { " http2" } else { "" };
        lines.push(format!("listen 127.0.0.1:{port} ssl{http2};"));
        lines.push(format!("ssl_certificate {CERT};"));
        lines.push(format!("ssl_certificate_key {KEY};"));
    }
    lines.extend(settings.directives.iter().cloned());
    for (path, body) in &settings.locations {
        lines.push(format!("location {path} {{ {body} }}"));
    }
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "        {line}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::super::Nginx;
    use super::*;
    use std::time::Duration;

    #[test]
    fn settings_become_lines_of_the_server_block() {
        let settings = Nginx::builder()
            .tls("cert", "key")
            .http2(true)
            .keepalive_requests(7)
            .keepalive_timeout(Duration::from_secs(1))
            .location("/a", "return 204;");
        let ports = Ports {
            http: 1,
            https: Some(2),
        };
        let text = server(&settings, ports);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "listen 127.0.0.1:1;",
                "listen 127.0.0.1:2 ssl http2;",
                "ssl_certificate cert.pem;",
                "ssl_certificate_key key.pem;",
                "keepalive_requests 7;",
                "keepalive_timeout 1000ms;",
                "location /a { return 204; }",
            ]
        );
    }

    #[test]
    fn without_tls_there_is_one_port() {
        let ports = Ports {
            http: 1,
            https: None,
        };
        let text = render(&Nginx::builder().http2(true), ports);
        assert_eq!(text.matches("listen ").count(), 1);
        assert!(!text.contains("http2"));
    }
}
