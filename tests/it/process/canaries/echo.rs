//! A service that gives everything back that it is sent, in every encoding: what the worst of them does.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::json;

/// What is said to whoever answered the challenge.
pub(super) const ANSWERED: &str = "the challenge was answered";

/// Serves until the test ends; answers its address. `token` is what it gives to who asks for one.
pub(super) fn serve(token: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let request = read(&mut stream);
                let (head, body) = answer(&request, token);
                let length = body.len();
                let head = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            });
        }
    });
    url
}

fn read(stream: &mut TcpStream) -> String {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

fn answer(request: &str, token: &str) -> (String, Vec<u8>) {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let kind = path.split(['?', '/']).nth(1).unwrap_or_default();
    match kind {
        "token" => {
            let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 });
            ("200 OK\r\ncontent-type: application/json".to_owned(), body.to_string().into_bytes())
        }
        "digest" if !request.to_lowercase().contains("authorization: digest ") => {
            let challenge = "www-authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"n1\"";
            (format!("401 Unauthorized\r\n{challenge}"), request.as_bytes().to_vec())
        }
        "digest" => {
            let body = json!({ "said": ANSWERED, "request": request });
            ("200 OK\r\ncontent-type: application/json".to_owned(), body.to_string().into_bytes())
        }
        "fail" => ("500 Broken\r\ncontent-type: text/plain".to_owned(), request.as_bytes().to_vec()),
        "file" => {
            let wide = request.encode_utf16().flat_map(u16::to_le_bytes);
            let body: Vec<u8> = request.bytes().chain(vec![0; 40_000]).chain(wide).collect();
            let name = request.lines().find_map(|line| line.strip_prefix("x-canary: ")).unwrap_or("file");
            let name = name.replace(['"', '\\'], "");
            let head = "200 OK\r\ncontent-type: application/octet-stream\r\ncontent-disposition: attachment; filename=";
            (format!("{head}\"{name}\""), body)
        }
        _ => {
            let proof = request.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default();
            let (secret, hex) = (proof.split(' ').next_back().unwrap_or_default(), hex(request.as_bytes()));
            let body = json!({
                "request": request, "lines": request.lines().collect::<Vec<_>>(), "hex": hex,
                "base64": STANDARD.encode(request), "base64url": URL_SAFE.encode(format!("x{request}")),
                "percent": url::form_urlencoded::byte_serialize(request.as_bytes()).collect::<String>(),
                "json": json!({ "request": request }).to_string(), secret: "a name",
                "opened": STANDARD.decode(secret).map(|pair| String::from_utf8_lossy(&pair).into_owned()).ok(),
            });
            let head = format!("200 OK\r\ncontent-type: application/json\r\nx-echo: {proof}");
            (head, body.to_string().into_bytes())
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
