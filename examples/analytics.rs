//! A group-by over millions of rows: workgroups aggregate in memory of their own, then atomics combine what they found.

mod show;

use divvy::Kernel;
use show::{Example, Outcome};

const STORES: usize = 512;
/// Rows of an invocation, as in the WGSL.
const ROWS: usize = 64;

/// What is asked of each store.
#[derive(Clone, Copy, PartialEq)]
struct Group {
    count: u64,
    sum: u64,
    least: u32,
    most: u32,
}

fn main() -> Outcome {
    let about =
        "select store, count(*), sum(cents), min(cents), max(cents) from sales group by store";
    let mut show = Example::new("analytics", about)
        .size(1 << 24, 1..=1 << 28, "rows of the table")
        .steps(8, "how often the query is run")
        .seed(1)
        .open()?;
    let (runtime, size) = (show.runtime.clone(), show.options.size);
    let kernel = Kernel::from_wgsl(include_str!("../shaders/analytics.wgsl"))?;

    let mut random = fastrand::Rng::with_seed(show.options.seed);
    // A few stores have most of the sales, and sales are mostly small; the largest are below 2^18 cents.
    let store = |a: f32| ((a * a * a * STORES as f32) as u32).min(STORES as u32 - 1);
    let stores: Vec<u32> = (0..size).map(|_| store(random.f32())).collect();
    let cents = |_| random.u32(1..1 << 18) >> random.u32(0..12);
    let cents: Vec<u32> = (0..size).map(cents).collect();
    let (keys, values) = (runtime.buffer_from(&stores)?, runtime.buffer_from(&cents)?);
    let totals = runtime.buffer::<u32>(3 * STORES)?;
    let least = runtime.buffer::<u32>(STORES)?;
    let most = runtime.buffer::<u32>(STORES)?;

    for _ in show.steps() {
        runtime.write(&totals, &[0; 3 * STORES])?;
        runtime.write(&least, &[u32::MAX; STORES])?;
        runtime.write(&most, &[0; STORES])?;
        let dispatch = runtime.dispatch(&kernel, size.div_ceil(ROWS));
        let dispatch = dispatch.bind("stores", &keys).bind("cents", &values);
        let dispatch = dispatch.bind("totals", &totals).bind("least", &least);
        show.submit(dispatch.bind("most", &most))?;
    }
    show.wait()?;
    let rate = (size * show.options.steps) as f64 / show.seconds();
    show.number("million rows a second", (rate / 1e6) as u64);

    let totals = runtime.read(&totals)?;
    let (least, most) = (runtime.read(&least)?, runtime.read(&most)?);
    let group = |store: usize| {
        let [count, low, high] = [0, 1, 2].map(|part| u64::from(totals[3 * store + part]));
        Group {
            count,
            sum: low + (high << 16),
            least: least[store],
            most: most[store],
        }
    };
    let found: Vec<_> = (0..STORES).map(group).collect();
    show.say(format_args!(
        "store     sales    revenue  smallest   largest   average"
    ));
    for (store, group) in found.iter().enumerate().take(8) {
        let money = |cents: u64| cents as f64 / 100.0;
        show.say(format_args!(
            "{store:5}  {:8} {:10.0} {:9.2} {:9.2} {:9.2}",
            group.count,
            money(group.sum),
            money(group.least.into()),
            money(group.most.into()),
            money(group.sum) / group.count.max(1) as f64
        ));
    }
    let nobody = Group {
        count: 0,
        sum: 0,
        least: u32::MAX,
        most: 0,
    };
    let mut expected = [nobody; STORES];
    for (&store, &cents) in stores.iter().zip(&cents) {
        let group = &mut expected[store as usize];
        group.count += 1;
        group.sum += u64::from(cents);
        group.least = group.least.min(cents);
        group.most = group.most.max(cents);
    }
    let rule = "each group is what a loop over the rows finds";
    show.check(rule, found == expected);
    let rows = found.iter().map(|group| group.count).sum::<u64>();
    show.check("each row is counted once", rows == size as u64);
    show.end()
}
