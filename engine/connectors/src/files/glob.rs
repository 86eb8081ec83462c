//! Patterns of paths: `*` and `?` within a name, `**` for any folders, `{a,b}` for one of several.
//!
//! Never takes long: an expansion and a match are bounded.

/// Most patterns that one with braces stands for.
const PATTERNS_MAX: usize = 64;

/// A pattern of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// One of them has to fit, part by part.
    any: Vec<Vec<String>>,
}

impl Pattern {
    /// The pattern as it is written.
    pub fn new(written: &str) -> Self {
        let parts = |pattern: &String| {
            pattern.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
        };
        Self { any: expanded(written).iter().map(parts).collect() }
    }

    /// Whether it fits one path alone.
    pub fn is_plain(written: &str) -> bool {
        !written.contains(['*', '?', '{'])
    }

    /// Whether the path fits.
    pub fn fits(&self, path: &[String]) -> bool {
        self.any.iter().any(|pattern| fits(pattern, path))
    }

    /// Whether something below the folder may fit.
    pub fn leads_into(&self, folder: &[String]) -> bool {
        self.any.iter().any(|pattern| leads(pattern, folder))
    }
}

/// The patterns without braces.
fn expanded(written: &str) -> Vec<String> {
    let mut open = vec![written.to_owned()];
    let mut done = Vec::new();
    while let Some(pattern) = open.pop() {
        let braces = pattern.find('{').and_then(|from| Some((from, from + pattern.get(from..)?.find('}')?)));
        match braces.filter(|_| open.len() + done.len() < PATTERNS_MAX) {
            None => done.push(pattern),
            Some((from, to)) => {
                open.extend(
                    pattern[from + 1..to]
                        .split(',')
                        .map(|word| format!("{}{word}{}", &pattern[..from], &pattern[to + 1..])),
                );
            }
        }
    }
    done.truncate(PATTERNS_MAX);
    done
}

fn fits(pattern: &[String], path: &[String]) -> bool {
    // Which parts of the pattern may come next, after each part of the path.
    let mut may = closed(pattern, vec![0]);
    for name in path {
        let next = may.iter().filter_map(|place| match pattern.get(*place)?.as_str() {
            "**" => Some(*place),
            part => name_fits(part, name).then_some(place + 1),
        });
        may = closed(pattern, next.collect());
    }
    may.contains(&pattern.len())
}

fn leads(pattern: &[String], folder: &[String]) -> bool {
    let mut may = closed(pattern, vec![0]);
    for name in folder {
        let next = may.iter().filter_map(|place| match pattern.get(*place)?.as_str() {
            "**" => Some(*place),
            part => name_fits(part, name).then_some(place + 1),
        });
        may = closed(pattern, next.collect());
    }
    may.iter().any(|place| *place < pattern.len())
}

/// With the places behind any `**`, which stands for no folder as well.
fn closed(pattern: &[String], mut places: Vec<usize>) -> Vec<usize> {
    places.sort_unstable();
    places.dedup();
    let mut at = 0;
    while at < places.len() {
        let place = places[at];
        if pattern.get(place).is_some_and(|part| part == "**") && !places.contains(&(place + 1)) {
            places.push(place + 1);
        }
        at += 1;
    }
    places
}

/// Whether a name fits; `*` goes back to the last one where it does not.
fn name_fits(pattern: &str, name: &str) -> bool {
    // Hidden files are meant where they are named alone.
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut in_name, mut back) = (0, 0, None);
    while in_name < name.len() {
        match pattern.get(at) {
            Some('*') => {
                back = Some((at, in_name));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => match back {
                None => return false,
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    at = star + 1;
                    in_name = from + 1;
                }
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn patterns_fit_as_people_mean_them() {
        for (pattern, fitting, others) in [
            ("a.csv", &["a.csv"][..], &["b.csv", "in/a.csv"][..]),
            ("in/*.csv", &["in/a.csv", "in/b.c.csv"], &["in/a.txt", "a.csv", "in/sub/a.csv", "in/.csv"]),
            ("**/*.{csv,txt}", &["a.csv", "in/a.txt", "in/sub/b.csv"], &["a.xml"]),
            ("in/**", &["in/a", "in/b/c"], &["out/a"]),
            ("a?c", &["abc"], &["ac", "abbc"]),
            ("a(1)[x].csv", &["a(1)[x].csv"], &["a1x.csv"]),
            ("*a*b*c*", &["xaxbxc", "abc"], &["acb"]),
            (".hidden", &[".hidden"], &["hidden"]),
        ] {
            let compiled = Pattern::new(pattern);
            fitting.iter().for_each(|name| assert!(compiled.fits(&path(name)), "{pattern} {name}"));
            others.iter().for_each(|name| assert!(!compiled.fits(&path(name)), "{pattern} {name}"));
        }
    }

    #[test]
    fn folders_are_looked_into_where_something_may_fit() {
        let compiled = Pattern::new("in/*/x.csv");
        assert!(compiled.leads_into(&[]) && compiled.leads_into(&path("in")) && compiled.leads_into(&path("in/a")));
        assert!(!compiled.leads_into(&path("out")) && !compiled.leads_into(&path("in/a/b")));
        assert!(Pattern::new("**/x").leads_into(&path("a/b/c")));
    }

    #[test]
    fn a_pattern_made_to_take_long_does_not() {
        let stars = "*a".repeat(60);
        assert!(!Pattern::new(&stars).fits(&path(&"a".repeat(59))));
        let braces = "{a,b}".repeat(40);
        assert!(Pattern::new(&braces).any.len() <= PATTERNS_MAX);
    }
}
