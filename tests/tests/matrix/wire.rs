//! The wire between engine and network, to cut: a proxy that can stop passing
//! bytes on in either direction, and break its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cut {
    /// Nothing from the engine to the network.
    pub out: bool,
    /// Nothing from the network to the engine.
    pub back: bool,
    /// Counted up to break the connections that are there.
    breaks: u32,
}

/// The proxy.
pub struct Wire {
    /// Where the engine finds it.
    pub url: String,
    cut: watch::Sender<Cut>,
    held: Arc<AtomicUsize>,
}

impl Wire {
    /// Starts one before the network at `url`.
    pub async fn before(url: &str) -> Self {
        let target: Arc<str> = url.trim_start_matches("http://").into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (cut, seen) = watch::channel(Cut::default());
        let held = Arc::<AtomicUsize>::default();
        let count = held.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (target, seen, count) = (target.clone(), seen.clone(), count.clone());
                tokio::spawn(async move {
                    if let Ok(far) = TcpStream::connect(&*target).await {
                        pass(near, far, seen, count).await;
                    }
                });
            }
        });
        Self { url, cut, held }
    }

    /// Stops or lets pass each direction. What is held is passed on later, as
    /// TCP would.
    pub fn cut(&self, out: bool, back: bool) {
        self.cut.send_modify(|cut| (cut.out, cut.back) = (out, back));
    }

    /// How often something was held.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Breaks the connections that are there.
    pub fn break_all(&self) {
        self.cut.send_modify(|cut| cut.breaks += 1);
    }
}

async fn pass(near: TcpStream, far: TcpStream, seen: watch::Receiver<Cut>, held: Arc<AtomicUsize>) {
    let breaks = seen.borrow().breaks;
    let mut broken = seen.clone();
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::select! {
        _ = broken.wait_for(|cut| cut.breaks != breaks) => {}
        () = pump(near_read, far_write, seen.clone(), &held, |cut| cut.out) => {}
        () = pump(far_read, near_write, seen, &held, |cut| cut.back) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut seen: watch::Receiver<Cut>,
    held: &AtomicUsize,
    stopped: fn(&Cut) -> bool,
) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if stopped(&seen.borrow()) {
            held.fetch_add(1, Ordering::SeqCst);
        }
        let open = seen.wait_for(|cut| !stopped(cut)).await.is_ok();
        if !open || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
