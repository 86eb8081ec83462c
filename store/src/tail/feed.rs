//! Reads history to a subscriber at the subscriber's pace until it can be handed over to the live tail.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::{History, Tail};
use crate::log::SubscriptionMessage;

/// Events of history read at a time.
const PAGE_EVENTS: usize = 256;

/// Feeds `behind` until it is live, gone, or the log is closed.
pub(super) async fn feed(tail: Arc<Tail>, history: Arc<dyn History>, behind: Box<Live>, closing: CancellationToken) {
    closing.run_until_cancelled(catch_up(&tail, &history, behind)).await;
}

async fn catch_up(tail: &Tail, history: &Arc<dyn History>, mut behind: Box<Live>) {
    loop {
        let head = tail.head();
        if behind.cursor < head {
            // A reader that works at a large event is waited for before the next one comes into memory.
            if behind.outlet.budget.room().await.is_err() {
                return;
            }
            let page = history.page(behind.scope, behind.cursor, head, &behind.filter, PAGE_EVENTS).await;
            let page = match page {
                Ok(page) => page,
                Err(error) => return behind.end(SubscriptionMessage::Failed(error)),
            };
            for event in page.events {
                behind.told = event.position;
                if behind.outlet.bring(event).await.is_err() {
                    return;
                }
            }
            behind.cursor = page.looked_at;
            if behind.told < behind.cursor && behind.cursor < head {
                behind.told = behind.cursor;
                if behind.outlet.sender.send(SubscriptionMessage::Checkpoint(behind.cursor)).await.is_err() {
                    return;
                }
            }
            if behind.cursor < head {
                continue;
            }
        }
        // Handing over takes one free slot: without it the reader is what we wait for.
        if behind.outlet.sender.reserve().await.is_err() {
            return;
        }
        match tail.attach(*behind) {
            Ok(()) => return,
            Err(still_behind) => behind = still_behind,
        }
    }
}
