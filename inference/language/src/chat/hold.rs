//! Texts before which an answer ends: what may be the beginning of one is held back until it is known.

/// Watches for them.
#[derive(Debug)]
pub(super) struct Hold {
    stops: Vec<String>,
    held: String,
}

impl Hold {
    pub(super) fn new(stops: &[String]) -> Self {
        Self { stops: stops.iter().filter(|stop| !stop.is_empty()).cloned().collect(), held: String::new() }
    }

    /// Takes more text: what can be given, and whether one of the texts came.
    pub(super) fn take(&mut self, more: &str) -> (String, bool) {
        self.held.push_str(more);
        if let Some(end) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(end);
            return (std::mem::take(&mut self.held), true);
        }
        let may_begin = |from: &usize| self.stops.iter().any(|stop| stop.starts_with(&self.held[*from..]));
        let from = self.held.char_indices().map(|(from, _)| from).find(may_begin).unwrap_or(self.held.len());
        let held = self.held.split_off(from);
        (std::mem::replace(&mut self.held, held), false)
    }

    /// What was held back, when nothing comes any more.
    pub(super) fn rest(self) -> String {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_begin_a_stop_is_held_and_given_when_it_does_not() {
        let mut hold = Hold::new(&["END".to_owned(), "\n\n".to_owned()]);
        assert_eq!(hold.take("say E"), ("say ".to_owned(), false));
        assert_eq!(hold.take("N"), (String::new(), false));
        assert_eq!(hold.take("or"), ("ENor".to_owned(), false));
        assert_eq!(hold.take("\n"), (String::new(), false));
        assert_eq!(hold.take("\nmore"), (String::new(), true));
        let mut hold = Hold::new(&["END".to_owned()]);
        assert_eq!(hold.take("äEN"), ("ä".to_owned(), false));
        assert_eq!(hold.rest(), "EN");
    }
}
