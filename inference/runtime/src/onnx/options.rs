//! How a model is computed.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use timeloom_domain::inference::Gpu;

/// Most threads within one operator.
pub const THREADS_MAX: usize = 256;
/// Rows of batches on a GPU: others are filled up to the next of them, so that few shapes are ever seen.
pub const BUCKETS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Most buckets.
pub const BUCKETS_MAX: usize = 16;

/// How much a graph is rewritten before it runs. Other levels may give other last bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Optimisation {
    /// It is run as it is written.
    None,
    /// What cannot change an answer.
    Basic,
    /// Operators are fused.
    Extended,
    /// Everything, the layout in memory too.
    #[default]
    All,
}

/// How a model is computed. Whatever may change an answer's bits is part of [`Options::canonical`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether it wants a GPU.
    pub gpu: Gpu,
    /// Which GPU, by its number.
    pub device: u32,
    /// Threads within one operator: 1 unless a single instance is to use more cores.
    pub intra_threads: usize,
    /// How much the graph is rewritten.
    pub optimisation: Optimisation,
    /// Whether a GPU may multiply with 19 bits instead of 32.
    pub tf32: bool,
    /// Whether a GPU lays images out with their channels last: convolutions are faster, and have other last bits.
    pub channels_last: bool,
    /// Whether operators that have a slower way which always gives the same bits take it.
    pub deterministic: bool,
    /// Most bytes of a GPU's memory that the session's arena may take. What the GPU's own libraries need comes on top.
    pub gpu_bytes_max: Option<usize>,
    /// Rows of batches on a GPU, rising.
    pub buckets: Vec<usize>,
    /// Whether the launches of a bucket are recorded once and played back, where the model allows it.
    pub cuda_graphs: bool,
    /// Whether an input that holds "not a number" or infinity is refused.
    pub finite_only: bool,
    /// Whether sessions on the CPU share their weights: less memory from three sessions on, more where there is one.
    pub shared: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gpu: Gpu::None,
            device: 0,
            intra_threads: 1,
            optimisation: Optimisation::All,
            tf32: false,
            channels_last: false,
            deterministic: false,
            gpu_bytes_max: None,
            buckets: BUCKETS.to_vec(),
            cuda_graphs: true,
            finite_only: false,
            shared: false,
        }
    }
}

impl Options {
    /// What is wrong with them, if something is.
    pub(super) fn objection(&self) -> Option<String> {
        let rising = self.buckets.windows(2).all(|pair| pair[0] < pair[1]);
        if self.intra_threads == 0 || self.intra_threads > THREADS_MAX {
            Some(format!("{} threads: from 1 to {THREADS_MAX} are allowed", self.intra_threads))
        } else if self.buckets.is_empty() || self.buckets.len() > BUCKETS_MAX || self.buckets[0] == 0 || !rising {
            Some(format!("the buckets {:?} are not 1 to {BUCKETS_MAX} rising numbers above 0", self.buckets))
        } else {
            None
        }
    }

    /// What of them may change an answer, as a text that never changes its form: part of the fingerprint. Limits of memory
    /// and graphs of launches are left out, they change speed alone.
    pub fn canonical(&self) -> String {
        let gpu = match self.gpu {
            Gpu::None => "none",
            Gpu::Optional => "optional",
            Gpu::Required => "required",
        };
        let optimisation = match self.optimisation {
            Optimisation::None => "none",
            Optimisation::Basic => "basic",
            Optimisation::Extended => "extended",
            Optimisation::All => "all",
        };
        let mut text = format!("1 gpu={gpu} threads={} optimisation={optimisation}", self.intra_threads);
        let _ = write!(text, " tf32={} deterministic={} buckets=", self.tf32, self.deterministic);
        if self.gpu == Gpu::None {
            text.push('-');
        } else {
            let buckets: Vec<String> = self.buckets.iter().map(ToString::to_string).collect();
            text.push_str(&buckets.join(","));
        }
        // What came later is told where it is set alone: what was computed before has the text that it had.
        if self.channels_last && self.gpu != Gpu::None {
            text.push_str(" channels-last=true");
        }
        text
    }

    /// SHA-256 of [`Self::canonical`].
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.canonical()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_text_is_frozen() {
        assert_eq!(
            Options::default().canonical(),
            "1 gpu=none threads=1 optimisation=all tf32=false deterministic=false buckets=-"
        );
        let gpu = Options { gpu: Gpu::Required, tf32: true, buckets: vec![1, 8], ..Options::default() };
        assert_eq!(
            gpu.canonical(),
            "1 gpu=required threads=1 optimisation=all tf32=true deterministic=false buckets=1,8"
        );
        assert_eq!(
            Options { channels_last: true, ..gpu }.canonical(),
            "1 gpu=required threads=1 optimisation=all tf32=true deterministic=false buckets=1,8 channels-last=true"
        );
        let cpu = Options { channels_last: true, ..Options::default() };
        assert_eq!(cpu.canonical(), Options::default().canonical());
    }

    #[test]
    fn buckets_must_rise_and_threads_must_be_some() {
        for buckets in [vec![], vec![0, 1], vec![4, 2], vec![1; 17]] {
            assert!(Options { buckets, ..Options::default() }.objection().is_some());
        }
        assert!(Options { intra_threads: 0, ..Options::default() }.objection().is_some());
        assert_eq!(Options::default().objection(), None);
    }
}
