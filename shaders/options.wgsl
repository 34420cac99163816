// Prices options by Monte Carlo: one workgroup an option, its invocations share the paths. Random numbers are a
// function of where they are used (option, path, date, seed), so whoever draws them draws the same.

struct Option {
    strike: f32, // in units of today's price
    rate: f32,   // of interest, a year
    swing: f32,  // volatility, a year
    years: f32,
}

// Sums over the paths of a payoff, and of its square.
struct Sums {
    european: vec2<f32>,
    geometric: vec2<f32>,
    arithmetic: vec2<f32>, // less the geometric one, path by path: far less is left to chance
}

struct Plan {
    paths: u32, // of each invocation
    seed: u32,
}

const DATES = 16u; // that the averages are over, a multiple of 4

@group(0) @binding(0) var<uniform> plan: Plan;
@group(0) @binding(1) var<storage, read> options: array<Option>;
@group(0) @binding(2) var<storage, read_write> payoffs: array<Sums>;

var<workgroup> sums: array<Sums, 64>;

// pcg4d of M. Jarzynski and M. Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020.
fn random_bits(at: vec4<u32>) -> vec4<u32> {
    var v = stirred(at * 1664525u + 1013904223u);
    v ^= v >> vec4(16u);
    return stirred(v);
}

fn stirred(bits: vec4<u32>) -> vec4<u32> {
    var v = bits;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}

// Four independent numbers of the normal distribution, by Box and Muller.
fn normals(at: vec4<u32>) -> vec4<f32> {
    let u = (vec4<f32>(random_bits(at) >> vec4(8u)) + 0.5) / 16777216.0;
    let radius = sqrt(-2.0 * log(u.xy));
    let angle = 6.2831853 * u.zw;
    return vec4(radius * cos(angle), radius * sin(angle));
}

@compute @workgroup_size(64)
fn price(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let option = options[group.x];
    let step = option.years / f32(DATES);
    let drift = (option.rate - 0.5 * option.swing * option.swing) * step;
    let spread = option.swing * sqrt(step);
    var own = Sums();
    for (var k = 0u; k < plan.paths; k++) {
        let path = k * 64u + local;
        var height = 0.0; // the logarithm of the price
        var heights = 0.0;
        var total = 0.0;
        for (var date = 0u; date < DATES; date += 4u) {
            let moves = drift + spread * normals(vec4(path, date, group.x, plan.seed));
            let a = height + moves.x;
            let b = a + moves.y;
            let c = b + moves.z;
            height = c + moves.w;
            heights += a + b + c + height;
            total += exp(a) + exp(b) + exp(c) + exp(height);
        }
        let european = max(exp(height) - option.strike, 0.0);
        let geometric = max(exp(heights / f32(DATES)) - option.strike, 0.0);
        let arithmetic = max(total / f32(DATES) - option.strike, 0.0) - geometric;
        own.european += vec2(european, european * european);
        own.geometric += vec2(geometric, geometric * geometric);
        own.arithmetic += vec2(arithmetic, arithmetic * arithmetic);
    }
    sums[local] = own;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if local < half {
            sums[local].european += sums[local + half].european;
            sums[local].geometric += sums[local + half].geometric;
            sums[local].arithmetic += sums[local + half].arithmetic;
        }
        workgroupBarrier();
    }
    if local == 0u {
        payoffs[group.x].european += sums[0].european;
        payoffs[group.x].geometric += sums[0].geometric;
        payoffs[group.x].arithmetic += sums[0].arithmetic;
    }
}
