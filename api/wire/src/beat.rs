//! Signs of life on a stream: when this end gives one, and whether the other one does.

use rialto_types::limits;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// The beat of one end of a stream.
#[derive(Debug)]
pub struct Beat {
    interval: Interval,
    heard: Instant,
    /// Beats since then.
    missed: u32,
}

/// What is due at a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// A sign of life to the other end.
    Sign,
    /// The end of the stream: the other one was silent for [`limits::STREAM_SILENCE_MAX`].
    Silence,
}

impl Default for Beat {
    /// A stream that begins now.
    fn default() -> Self {
        let mut interval = interval(limits::LEASE_BEAT);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, heard: Instant::now(), missed: 0 }
    }
}

impl Beat {
    /// Something came from the other end.
    pub fn heard(&mut self) {
        (self.heard, self.missed) = (Instant::now(), 0);
    }

    /// Waits for the next beat, the first of which is at once; may be dropped while it waits.
    pub async fn next(&mut self) -> Due {
        let due = self.interval.tick().await;
        let stood_still = due.elapsed() > limits::LEASE_BEAT;
        self.missed = if stood_still { 1 } else { self.missed + 1 };
        let is_late = self.heard.elapsed() > limits::STREAM_SILENCE_MAX;
        if is_late && self.missed >= limits::STREAM_MISSED_MIN { Due::Silence } else { Due::Sign }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn beats_until_silence(beat: &mut Beat) -> u32 {
        let mut signs = 0;
        while beat.next().await == Due::Sign {
            signs += 1;
        }
        signs
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_for_a_lease_and_a_second_is_silent() {
        let (mut beat, start) = (Beat::default(), Instant::now());
        assert_eq!(beats_until_silence(&mut beat).await, 4);
        let silence = limits::STREAM_SILENCE_MAX;
        assert!((silence..silence + limits::LEASE_BEAT).contains(&start.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stood_still_itself_reads_what_waits_before_it_judges() {
        let mut beat = Beat::default();
        // The other end was late by a beat already.
        assert_eq!([beat.next().await, beat.next().await], [Due::Sign; 2]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!([beat.next().await, beat.next().await], [Due::Sign; 2]);
        beat.heard();
        assert_eq!(beats_until_silence(&mut beat).await, 3);
    }
}
