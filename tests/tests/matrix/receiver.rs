//! A webhook receiver that answers every message, and misbehaves on request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How the first attempt of an event is met; the later ones are answered well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// At once.
    Well,
    /// Never.
    Hangs,
    /// By a reset of the connection.
    Resets,
    /// Half of an answer, and then the end of the connection.
    Half,
    /// 200, with 10 MB of JSON that is no answer.
    TenMegabytes,
    /// 500.
    Fails,
}

#[derive(Default)]
struct Heard {
    /// Attempts by event id.
    attempts: HashMap<String, usize>,
    /// Messages among them.
    messages: usize,
    manner: Option<Manner>,
    /// How many events are met so.
    left: usize,
}

/// The receiver.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    heard: Arc<Mutex<Heard>>,
}

impl Receiver {
    /// Starts one that answers well.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Heard::default()));
        let shared = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let heard = shared.clone();
                // A connection that ends in the middle is the other side's affair.
                tokio::spawn(async move { serve(stream, &heard).await });
            }
        });
        Self { url, heard }
    }

    /// From now on, how first attempts are met.
    pub fn behave(&self, manner: Manner) {
        self.behave_for(manner, usize::MAX);
    }

    /// The same, for so many messages.
    pub fn behave_for(&self, manner: Manner, messages: usize) {
        let mut heard = self.heard.lock().unwrap();
        (heard.manner, heard.left) = (Some(manner), messages);
    }

    /// How many different messages it has heard of.
    pub fn heard(&self) -> usize {
        self.heard.lock().unwrap().messages
    }

    /// How many attempts there were beyond the first of each event.
    pub fn repeats(&self) -> usize {
        self.heard.lock().unwrap().attempts.values().map(|attempts| attempts - 1).sum()
    }

    /// Whether it has heard of an event.
    pub fn has(&self, event: &str) -> bool {
        self.heard.lock().unwrap().attempts.contains_key(event)
    }
}

/// One connection: requests one after the other.
async fn serve(stream: TcpStream, heard: &Mutex<Heard>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (id, body) = request(&mut stream).await?;
        let event: serde_json::Value = serde_json::from_slice(&body).ok()?;
        let is_message = event["event"] == "message_received";
        let manner = {
            let mut heard = heard.lock().unwrap();
            let attempts = heard.attempts.entry(id).or_default();
            *attempts += 1;
            let first = *attempts == 1;
            heard.messages += usize::from(first && is_message);
            let manner = heard.manner.filter(|_| first && is_message && heard.left > 0);
            heard.left -= usize::from(manner.is_some());
            manner.unwrap_or(Manner::Well)
        };
        let answer = if is_message {
            let text = format!("hook {}", event["data"]["text"].as_str()?);
            serde_json::json!({"actions": [{"type": "text", "to": event["data"]["chatId"], "text": text}]})
        } else {
            serde_json::json!({"ok": true})
        };
        answer_as(manner, stream.get_mut(), &answer.to_string()).await?;
    }
}

async fn answer_as(manner: Manner, stream: &mut TcpStream, answer: &str) -> Option<()> {
    let length = answer.len();
    match manner {
        Manner::Well => write(stream, &format!("200 OK\r\ncontent-length: {length}\r\n\r\n{answer}")).await,
        Manner::Hangs => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            None
        }
        Manner::Resets => {
            stream.set_zero_linger().ok()?;
            None
        }
        Manner::Half => {
            let half = &answer[..length / 2];
            write(stream, &format!("200 OK\r\ncontent-length: {length}\r\n\r\n{half}")).await?;
            None
        }
        Manner::TenMegabytes => {
            let much = " ".repeat(10_000_000);
            write(stream, &format!("200 OK\r\ncontent-length: {}\r\n\r\n{much}", much.len())).await
        }
        Manner::Fails => write(stream, "500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").await,
    }
}

async fn write(stream: &mut TcpStream, rest: &str) -> Option<()> {
    stream.write_all(format!("HTTP/1.1 {rest}").as_bytes()).await.ok()
}

/// One request: the event's id, and the body.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "x-warest-event-id" => value.trim().clone_into(&mut id),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((id, body))
}
