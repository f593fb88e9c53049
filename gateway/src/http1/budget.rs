//! How many requests may be sent again although they may have been delivered.

use rialto_types::limits;

const PERCENT: u32 = 100;

/// Fills with requests and empties with such retries; counts in hundredths of a retry.
#[derive(Debug)]
pub(crate) struct Budget {
    hundredths: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { hundredths: limits::RETRY_BUDGET_BURST * PERCENT }
    }
}

impl Budget {
    pub(crate) fn deposit(&mut self) {
        let filled = self.hundredths + limits::RETRY_BUDGET_PERCENT;
        self.hundredths = filled.min(limits::RETRY_BUDGET_BURST * PERCENT);
    }

    /// Whether one more retry is allowed; it then counts.
    pub(crate) fn withdraw(&mut self) -> bool {
        let Some(rest) = self.hundredths.checked_sub(PERCENT) else { return false };
        self.hundredths = rest;
        true
    }
}

#[cfg(test)]
mod tests;
