// European calls by the binomial tree of Cox, Ross and Rubinstein (1979), a workgroup of 256 for each option: a leaf for
// each invocation, then back through the 255 steps. Grid: one workgroup in x, one for each option in y.
struct P { rate: f32, volatility: f32 }
@group(0) @binding(0) var<uniform> p: P;
// Spot, strike, years, and nothing.
@group(0) @binding(1) var<storage, read> options: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> price: array<f32>;

const STEPS = 255u;
var<workgroup> value: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_id) l: vec3<u32>) {
    let option = options[wg.y];
    let years = option.z / f32(STEPS);
    let step = p.volatility * sqrt(years);
    let up = exp(step);
    let down = exp(-step);
    let chance = (exp(p.rate * years) - down) / (up - down);
    let discount = exp(-p.rate * years);
    let rise = discount * chance;
    let fall = discount * (1.0 - chance);
    let leaf = f32(2 * i32(l.x) - i32(STEPS));
    value[l.x] = max(option.x * exp(step * leaf) - option.y, 0.0);
    workgroupBarrier();
    for (var left = STEPS; left > 0u; left--) {
        var before = 0.0;
        if l.x < left { before = rise * value[l.x + 1u] + fall * value[l.x]; }
        workgroupBarrier();
        if l.x < left { value[l.x] = before; }
        workgroupBarrier();
    }
    if l.x == 0u { price[wg.y] = value[0]; }
}
