//! One direction of a link: delay, loss, rate and a bounded queue. No clock and no socket.
//!
//! ```text
//! handle_packet(packet, now) -> [loss] -> [rate, drop-tail queue] -> [delay line] -> poll_packet(now)
//! ```
//!
//! Order is kept whatever changes while packets are under way, as on a real link.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::demo::limits;

/// What a link does to packets, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shape {
    /// One way: half of what `ping` shows.
    pub(crate) delay: Duration,
    pub(crate) loss_ppm: u32,
    /// No limit if absent.
    pub(crate) rate_bits_per_second: Option<u64>,
}

impl Default for Shape {
    fn default() -> Self {
        Self { delay: limits::LINK_DELAY, loss_ppm: 0, rate_bits_per_second: None }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Dropped by the loss that was asked for.
    pub(crate) lost: u64,
    /// Dropped because the queue in front of the rate limit was full.
    pub(crate) overflowed: u64,
}

#[derive(Debug)]
pub(crate) struct Line<P> {
    shape: Shape,
    random: u64,
    /// Until when the packets accepted so far occupy the wire.
    wire_free_at: Instant,
    waiting_for_wire: VecDeque<(Instant, usize)>,
    waiting_bytes: usize,
    under_way: VecDeque<(Instant, P)>,
    under_way_bytes: usize,
    counters: Counters,
}

impl<P: AsRef<[u8]>> Line<P> {
    pub(crate) fn new(shape: Shape, seed: u64, now: Instant) -> Self {
        Self {
            shape,
            random: seed,
            wire_free_at: now,
            waiting_for_wire: VecDeque::new(),
            waiting_bytes: 0,
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            counters: Counters::default(),
        }
    }

    pub(crate) fn reshape(&mut self, shape: Shape) {
        self.shape = shape;
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes a packet at one end; gives it back if it goes no further.
    pub(crate) fn handle_packet(&mut self, packet: P, now: Instant) -> Result<(), P> {
        let size = packet.as_ref().len();
        // One draw per packet, lost or not, so that a seed loses the same packets every time.
        if self.draw_ppm() < self.shape.loss_ppm {
            self.counters.lost += 1;
            return Err(packet);
        }
        self.leave_wire(now);
        if self.waiting_bytes + size > limits::LINK_QUEUE_BYTES_MAX
            || self.under_way_bytes + size > limits::LINK_UNDER_WAY_BYTES_MAX
        {
            self.counters.overflowed += 1;
            return Err(packet);
        }
        if let Some(rate) = self.shape.rate_bits_per_second {
            let on_wire = Duration::from_nanos(size as u64 * 8 * 1_000_000_000 / rate.max(1));
            self.wire_free_at = self.wire_free_at.max(now) + on_wire;
            self.waiting_for_wire.push_back((self.wire_free_at, size));
            self.waiting_bytes += size;
        }
        let leaves_wire = self.wire_free_at.max(now);
        self.under_way.push_back((leaves_wire + self.shape.delay, packet));
        self.under_way_bytes += size;
        self.counters.packets += 1;
        self.counters.bytes += size as u64;
        Ok(())
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.under_way.front().map(|(due, _)| *due)
    }

    /// The next packet that has reached the other end.
    pub(crate) fn poll_packet(&mut self, now: Instant) -> Option<P> {
        if self.poll_timeout()? > now {
            return None;
        }
        let (_, packet) = self.under_way.pop_front()?;
        self.under_way_bytes -= packet.as_ref().len();
        Some(packet)
    }

    fn leave_wire(&mut self, now: Instant) {
        while let Some((at, size)) = self.waiting_for_wire.front().copied()
            && at <= now
        {
            self.waiting_bytes -= size;
            self.waiting_for_wire.pop_front();
        }
    }

    /// SplitMix64 (Steele, Lea, Flood 2014), scaled to millionths.
    fn draw_ppm(&mut self) -> u32 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * 1_000_000) >> 64) as u32
    }
}

#[cfg(test)]
mod tests;
