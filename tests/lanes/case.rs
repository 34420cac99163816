//! What a case is: a piece of WGSL, what it is given, and what it has to come to.

use std::f32::consts::{FRAC_PI_2, PI};

/// What a word is, and from where it is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    I32,
    U32,
    Bool,
    /// Any finite float: zeros, subnormals and the largest too.
    F32,
    /// A float of a middling size.
    Middling,
    /// An integer so small that sums and products of a few are exact.
    Small,
    /// From -pi to pi, where the accuracy of sine and cosine is defined.
    Angle,
    /// From -1 to 1.
    Unit,
    Positive,
    /// How many bits, or where they begin.
    Bits,
}

/// What has to come out.
#[derive(Clone, Copy, Debug)]
pub enum Right {
    Word(u32),
    /// A float, and how far from it others may be.
    Near(f64, f64),
    /// Nothing that the specification says.
    Anything,
}

type Rule = Box<dyn Fn(&[u32]) -> Vec<Right> + Send + Sync>;

pub struct Case {
    pub name: String,
    /// What one item is given.
    pub given: Vec<Kind>,
    /// Declarations of the module.
    pub module: String,
    /// What the kernel does for an item: `x`, `y`, `z` are its words, `put(i, word)` what comes out.
    pub code: String,
    /// Words that come out of each item.
    pub results: usize,
    /// What they have to be, of the words that an item is given.
    pub right: Rule,
    /// Whether the first word is of the item itself, and three more are of it and the two after it.
    pub is_componentwise: bool,
}

impl Case {
    /// A case with these words and results.
    pub fn new(
        name: &str,
        given: &[Kind],
        results: usize,
        code: &str,
        right: impl Fn(&[u32]) -> Vec<Right> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            given: given.to_vec(),
            module: String::new(),
            code: code.to_owned(),
            results,
            right: Box::new(right),
            is_componentwise: false,
        }
    }

    /// An expression in `x`, `y` and `z` that does the same for scalars and for the components of vectors.
    pub fn each(
        name: &str,
        given: &[Kind],
        result: Kind,
        expression: &str,
        right: impl Fn(&[u32]) -> Right + Send + Sync + 'static,
    ) -> Self {
        let scalar = |i: usize, item: &str| {
            let word = format!("input[({item}) * {}u + {i}u]", given.len());
            match given[i] {
                Kind::I32 => format!("bitcast<i32>({word})"),
                Kind::U32 | Kind::Bits => word,
                Kind::Bool => format!("({word} != 0u)"),
                _ => format!("bitcast<f32>({word})"),
            }
        };
        let name_of = |i: usize| ["x", "y", "z", "w"][i];
        let mut code = String::from("{\n");
        for i in 0..given.len() {
            code += &format!("let {} = {};\n", name_of(i), scalar(i, "item"));
        }
        let word = |value: &str| match result {
            Kind::Bool => format!("select(0u, 1u, {value})"),
            _ => format!("bitcast<u32>({value})"),
        };
        code += &format!(
            "let found = {expression};\nput(0u, {});\n}}\n{{\n",
            word("found")
        );
        for i in 0..given.len() {
            let parts: Vec<String> = (0..3)
                .map(|c| scalar(i, &format!("(item + {c}u) % items")))
                .collect();
            code += &format!("let {} = vec3({});\n", name_of(i), parts.join(", "));
        }
        code += &format!("let found = {expression};\n");
        for c in 0..3 {
            code += &format!("put({}u, {});\n", c + 1, word(&format!("found[{c}]")));
        }
        code += "}\n";
        let mut case = Self::new(name, given, 4, &code, move |words| vec![right(words)]);
        case.is_componentwise = true;
        case
    }

    /// With declarations outside of functions.
    pub fn module(mut self, module: &str) -> Self {
        self.module = module.to_owned();
        self
    }

    /// The words of all items.
    pub fn input(&self) -> Vec<u32> {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ self.name.len() as u64;
        let lists: Vec<Vec<u32>> = self
            .given
            .iter()
            .map(|kind| edges(*kind, self.given.len()))
            .collect();
        let all: usize = lists.iter().map(Vec::len).product();
        let mut words = Vec::new();
        // All combinations of a few, or some of many.
        if self.given.len() <= 3 {
            for item in 0..all {
                let mut rest = item;
                for list in &lists {
                    words.push(list[rest % list.len()]);
                    rest /= list.len();
                }
            }
        }
        let more = if self.given.len() <= 3 { 200 } else { 500 };
        for _ in 0..more {
            for (kind, list) in self.given.iter().zip(&lists) {
                let word = next(&mut random);
                words.push(if self.given.len() > 3 && word.is_multiple_of(3) {
                    list[(word / 3) as usize % list.len()]
                } else {
                    drawn(*kind, word)
                });
            }
        }
        words
    }
}

/// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
fn next(state: &mut u64) -> u32 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
}

/// One of a kind.
fn drawn(kind: Kind, word: u32) -> u32 {
    let part = word as f32 / u32::MAX as f32;
    match kind {
        Kind::I32 | Kind::U32 => word,
        Kind::Bool => word & 1,
        Kind::Bits => word % 40,
        Kind::F32 => {
            let float = f32::from_bits(word);
            if float.is_finite() {
                word
            } else {
                part.to_bits()
            }
        }
        Kind::Middling => ((part - 0.5) * 2000.0).to_bits(),
        Kind::Small => ((word % 33) as f32 - 16.0).to_bits(),
        Kind::Angle => ((part * 2.0 - 1.0) * 0.999_999 * PI).to_bits(),
        Kind::Unit => (part * 2.0 - 1.0).to_bits(),
        Kind::Positive => (part * 100.0 + 1e-3).to_bits(),
    }
}

/// Those of a kind at which things are different; fewer, if all are combined with others.
fn edges(kind: Kind, words: usize) -> Vec<u32> {
    const TINY: f32 = f32::MIN_POSITIVE;
    let floats = |list: &[f32]| list.iter().map(|float| float.to_bits()).collect();
    let few = words > 2;
    match kind {
        Kind::I32 if few => [0, 1, -1, 5, -7, i32::MAX, i32::MIN]
            .map(|i: i32| i as u32)
            .to_vec(),
        Kind::I32 => [
            0,
            1,
            -1,
            2,
            -2,
            3,
            7,
            -7,
            10,
            31,
            32,
            33,
            100,
            -100,
            255,
            256,
            65535,
            -65536,
            1 << 24,
            (1 << 24) + 1,
            0x5555_5555,
            i32::MAX - 1,
            i32::MAX,
            i32::MIN,
            i32::MIN + 1,
        ]
        .map(|i: i32| i as u32)
        .to_vec(),
        Kind::U32 if few => vec![0, 1, 5, 0x8000_0001, 0xffff_0000, u32::MAX],
        Kind::U32 => vec![
            0,
            1,
            2,
            3,
            7,
            10,
            31,
            32,
            33,
            63,
            64,
            100,
            255,
            256,
            65535,
            65536,
            1 << 24,
            (1 << 24) + 1,
            0x5555_5555,
            0xaaaa_aaaa,
            i32::MAX as u32,
            1 << 31,
            u32::MAX - 1,
            u32::MAX,
        ],
        Kind::Bool => vec![0, 1],
        Kind::Bits => vec![0, 1, 5, 16, 31, 32, 33, u32::MAX],
        Kind::F32 if few => floats(&[
            0.0,
            -0.0,
            1.0,
            -1.5,
            0.1,
            1e10,
            -3e-10,
            TINY / 8.0,
            f32::MAX,
        ]),
        Kind::F32 => floats(&[
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            -0.5,
            1.5,
            -1.5,
            2.5,
            -2.5,
            0.499_999_97,
            3.7,
            -3.2,
            10.0,
            0.1,
            -0.1,
            1e-3,
            1e3,
            8191.5,
            8_388_607.5,
            16_777_216.0,
            2_147_483_648.0,
            -2_147_483_648.0,
            4_294_967_296.0,
            1e10,
            -1e20,
            1e30,
            f32::MAX,
            f32::MIN,
            TINY,
            -TINY,
            TINY / 2.0,
            -TINY / 64.0,
            1e-45,
            1e-20,
            f32::EPSILON,
        ]),
        Kind::Middling if few => floats(&[0.0, 1.0, -1.0, 0.5, 3.25, -7.5, 100.0]),
        Kind::Middling => floats(&[
            0.0, 1.0, -1.0, 0.5, -0.5, 0.25, 2.0, -2.0, 3.25, -7.5, 10.0, -20.0, 100.0, -1000.0,
            1e-3,
        ]),
        Kind::Small => floats(&[0.0, 1.0, -1.0, 2.0, -3.0, 16.0, -16.0]),
        Kind::Angle => floats(&[
            0.0, 0.5, -0.5, 1.0, FRAC_PI_2, -FRAC_PI_2, 3.0, -3.1, 1e-3, -1e-6,
        ]),
        Kind::Unit => floats(&[0.0, 0.5, -0.5, 1.0, -1.0, 0.99, -0.99, 1e-3, -1e-6, 0.707]),
        Kind::Positive => floats(&[1.0, 0.5, 2.0, 1e-3, 100.0, 1e-10, 1e10, 0.999, 1.001, 4.0]),
    }
}

pub fn float(word: u32) -> f32 {
    f32::from_bits(word)
}

pub fn wide(word: u32) -> f64 {
    f64::from(f32::from_bits(word))
}

/// The distance from a float to the next.
pub fn unit(x: f64) -> f64 {
    let x = (x.abs() as f32).clamp(f32::MIN_POSITIVE, f32::MAX);
    f64::from(x) - f64::from(f32::from_bits(x.to_bits() - 1))
        + if x == f32::MIN_POSITIVE {
            unit(2.0 * f64::from(x))
        } else {
            0.0
        }
}

/// Rounded once, to the nearest or the one beside it: "correctly rounded" leaves the direction open.
pub fn rounded(right: f64) -> Right {
    near(right, unit(right))
}

/// Off by so many units in the last place.
pub fn units(right: f64, count: f64) -> Right {
    near(right, unit(right) * count)
}

/// As near as this; of what leaves the range of floats nothing is said, and what is below it may be zero.
pub fn near(right: f64, tolerance: f64) -> Right {
    if !right.is_finite() || right.abs() + tolerance > f64::from(f32::MAX) || !tolerance.is_finite()
    {
        return Right::Anything;
    }
    let flushed = if right.abs() < f64::from(f32::MIN_POSITIVE) * 1.000_001 {
        f64::from(f32::MIN_POSITIVE)
    } else {
        0.0
    };
    Right::Near(right, tolerance + flushed)
}

/// Exactly this float, whatever the sign of a zero.
pub fn exactly(right: f32) -> Right {
    near(f64::from(right), 0.0)
}

pub fn truth(is_so: bool) -> Right {
    Right::Word(u32::from(is_so))
}

impl Right {
    pub fn allows(self, found: u32) -> bool {
        match self {
            Right::Word(word) => word == found,
            Right::Near(right, tolerance) => (wide(found) - right).abs() <= tolerance,
            Right::Anything => true,
        }
    }
}

/// The words with subnormal floats as zeros, as devices may read them.
pub fn flushed(given: &[Kind], words: &[u32]) -> Vec<u32> {
    let one = |(kind, word): (&Kind, &u32)| {
        let is_float = !matches!(kind, Kind::I32 | Kind::U32 | Kind::Bool | Kind::Bits);
        if is_float && float(*word).is_subnormal() {
            word & 0x8000_0000
        } else {
            *word
        }
    };
    given.iter().zip(words).map(one).collect()
}
