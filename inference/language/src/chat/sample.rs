//! Which token comes next.

use std::collections::HashMap;

use timeloom_domain::chat::Sampling;

/// How freely where nothing is said: small models lose their thread when it is more.
const TEMPERATURE: f64 = 0.2;
/// From which share of the likeliest where nothing is said.
const TOP_P: f64 = 0.9;
/// Below this it is as if it was nothing.
const TEMPERATURE_MIN: f64 = 1e-4;

/// Chooses tokens. The same seed chooses the same.
#[derive(Debug, Clone)]
pub struct Sampler {
    temperature: f64,
    top_p: f64,
    top_k: usize,
    frequency: f32,
    presence: f32,
    /// How often tokens were chosen.
    chosen: HashMap<u32, f32>,
    state: u64,
}

impl Sampler {
    /// Chooses as is asked for; by chance that begins with `seed`, where the request has none.
    pub fn new(sampling: &Sampling, seed: u64) -> Self {
        let penalty = |said: Option<f64>| said.filter(|penalty| penalty.is_finite()).unwrap_or(0.0) as f32;
        Self {
            temperature: sampling.temperature.filter(|given| given.is_finite()).unwrap_or(TEMPERATURE),
            top_p: sampling.top_p.filter(|share| (0.0..=1.0).contains(share)).unwrap_or(TOP_P),
            top_k: sampling
                .top_k
                .and_then(|most| usize::try_from(most).ok())
                .filter(|most| *most > 0)
                .unwrap_or(usize::MAX),
            frequency: penalty(sampling.frequency_penalty),
            presence: penalty(sampling.presence_penalty),
            chosen: HashMap::new(),
            state: sampling.seed.map_or(seed, i64::cast_unsigned),
        }
    }

    /// The next token, by how likely each is; nothing where a number is none.
    pub fn choose(&mut self, likely: &mut [f32]) -> Option<u32> {
        if likely.iter().any(|number| number.is_nan()) {
            return None;
        }
        if self.frequency != 0.0 || self.presence != 0.0 {
            for (token, times) in &self.chosen {
                if let Some(number) = likely.get_mut(*token as usize) {
                    *number -= self.frequency * times + self.presence;
                }
            }
        }
        let token = if self.temperature < TEMPERATURE_MIN { likeliest(likely)? } else { self.draw(likely)? };
        *self.chosen.entry(token).or_default() += 1.0;
        Some(token)
    }

    fn draw(&mut self, likely: &[f32]) -> Option<u32> {
        let most = likely.iter().copied().max_by(f32::total_cmp)?;
        let weight = |number: f32| (f64::from(number - most) / self.temperature).exp();
        let mut all: Vec<(u32, f64)> = (0_u32..).zip(likely).map(|(token, number)| (token, weight(*number))).collect();
        // Those that are all but impossible are not sorted. The likeliest has the weight 1 and so is always there.
        all.retain(|(_, weight)| *weight > 1e-12);
        all.sort_by(|one, two| two.1.total_cmp(&one.1).then(one.0.cmp(&two.0)));
        all.truncate(self.top_k);
        let share = self.top_p * all.iter().map(|(_, weight)| weight).sum::<f64>();
        let mut sum = 0.0;
        let within = all.iter().position(|(_, weight)| {
            sum += weight;
            sum >= share
        });
        all.truncate(within.map_or(all.len(), |last| last + 1));
        let mut left = self.number() * all.iter().map(|(_, weight)| weight).sum::<f64>();
        let drawn = all.iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        drawn.or(all.last()).map(|(token, _)| *token)
    }

    /// A number from 0 to below 1: SplitMix64.
    fn number(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The first of the likeliest.
fn likeliest(likely: &[f32]) -> Option<u32> {
    let best = (0_u32..).zip(likely).reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(token, _)| token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(sampling: &Sampling, seed: u64) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling, seed);
        (0..200).filter_map(|_| sampler.choose(&mut [1.0, 3.0, 2.9, -4.0])).collect()
    }

    #[test]
    fn nothing_is_left_to_chance_at_temperature_0() {
        let sampling = Sampling { temperature: Some(0.0), ..Sampling::default() };
        assert_eq!(draws(&sampling, 1), vec![1; 200]);
    }

    #[test]
    fn the_same_seed_draws_the_same_and_another_one_does_not() {
        let sampling = Sampling { temperature: Some(1.0), seed: Some(7), ..Sampling::default() };
        assert_eq!(draws(&sampling, 1), draws(&sampling, 2));
        let other = Sampling { seed: Some(8), ..sampling };
        assert_ne!(draws(&other, 1), draws(&sampling_of(7), 1));
    }

    fn sampling_of(seed: i64) -> Sampling {
        Sampling { temperature: Some(1.0), seed: Some(seed), ..Sampling::default() }
    }

    #[test]
    fn top_k_and_top_p_leave_out_what_is_unlikely() {
        let wide = Sampling { temperature: Some(5.0), top_p: Some(1.0), ..Sampling::default() };
        assert!(draws(&wide, 3).contains(&3));
        let few = Sampling { top_k: Some(2), ..wide.clone() };
        assert!(draws(&few, 3).iter().all(|token| [1, 2].contains(token)));
        let share = Sampling { top_p: Some(0.5), ..sampling_of(3) };
        assert!(draws(&share, 3).iter().all(|token| [1, 2].contains(token)));
    }

    #[test]
    fn penalties_make_words_rarer_and_no_number_is_refused() {
        let sampling = Sampling { temperature: Some(0.0), presence_penalty: Some(1.0), ..Sampling::default() };
        let mut sampler = Sampler::new(&sampling, 0);
        assert_eq!(sampler.choose(&mut [1.0, 3.0, 2.5]), Some(1));
        assert_eq!(sampler.choose(&mut [1.0, 3.0, 2.5]), Some(2));
        assert_eq!(sampler.choose(&mut [1.0, f32::NAN]), None);
    }
}
