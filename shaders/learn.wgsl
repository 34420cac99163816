// A small neural network learns to tell two kinds of points apart: 2 numbers in, two layers of 32 units, 1 number out.
// `propagate` runs it forward and backward for each sample, `learn` sums the gradients and moves the weights, `judge` only
// runs it forward.

const UNITS = 32u;
// Rows of weights, one for each unit: of x and y and a bias into the first layer, of the first layer and a bias into the
// second, and of the second into the answer.
const BIAS = 2u;
const SECOND = 3u;
const SECOND_BIAS = 35u;
const ANSWER = 36u;
const ROWS = 37u;

// What is kept of each sample: x, y, one, and the error of the answer; then activities and errors of both layers.
const KEPT = 132u;
const ERROR = 3u;
const ACTIVE_1 = 4u;
const ACTIVE_2 = 36u;
const ERROR_1 = 68u;
const ERROR_2 = 100u;

@group(0) @binding(0) var<storage, read> samples: array<vec4<f32>>; // x, y, 0 or 1, nothing
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> kept: array<f32>;

var<private> first: array<f32, UNITS>;
var<private> second: array<f32, UNITS>;

// The chance that the network gives to the second kind.
fn forward(at: vec2<f32>) -> f32 {
    for (var unit = 0u; unit < UNITS; unit++) {
        let sum = weights[unit] * at.x + weights[UNITS + unit] * at.y + weights[BIAS * UNITS + unit];
        first[unit] = tanh(sum);
    }
    var answer = 0.0;
    for (var unit = 0u; unit < UNITS; unit++) {
        var sum = weights[SECOND_BIAS * UNITS + unit];
        for (var source = 0u; source < UNITS; source++) {
            sum += weights[(SECOND + source) * UNITS + unit] * first[source];
        }
        second[unit] = tanh(sum);
        answer += weights[ANSWER * UNITS + unit] * second[unit];
    }
    return 1.0 / (1.0 + exp(-answer));
}

@compute @workgroup_size(64)
fn propagate(@builtin(global_invocation_id) id: vec3<u32>) {
    let sample = id.x;
    if sample >= arrayLength(&samples) || sample >= arrayLength(&kept) / KEPT {
        return;
    }
    let at = sample * KEPT;
    let it = samples[sample];
    // The derivative of the cross entropy by the answer.
    let error = forward(it.xy) - it.z;
    kept[at] = it.x;
    kept[at + 1u] = it.y;
    kept[at + BIAS] = 1.0;
    kept[at + ERROR] = error;
    var errors: array<f32, UNITS>;
    for (var unit = 0u; unit < UNITS; unit++) {
        let activity = second[unit];
        errors[unit] = error * weights[ANSWER * UNITS + unit] * (1.0 - activity * activity);
        kept[at + ACTIVE_2 + unit] = activity;
        kept[at + ERROR_2 + unit] = errors[unit];
    }
    for (var unit = 0u; unit < UNITS; unit++) {
        let activity = first[unit];
        var sum = 0.0;
        for (var to = 0u; to < UNITS; to++) {
            sum += weights[(SECOND + unit) * UNITS + to] * errors[to];
        }
        kept[at + ACTIVE_1 + unit] = activity;
        kept[at + ERROR_1 + unit] = sum * (1.0 - activity * activity);
    }
}

@group(0) @binding(2) var<storage, read_write> chances: array<f32>;

@compute @workgroup_size(64)
fn judge(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&samples) && id.x < arrayLength(&chances) {
        chances[id.x] = forward(samples[id.x].xy);
    }
}

struct Step {
    rate: f32,
    // What the means of gradients and of their squares lack after so many steps.
    mean_lack: f32,
    square_lack: f32,
}

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> passed: array<f32>; // `kept`
@group(0) @binding(2) var<storage, read_write> moved: array<f32>; // `weights`
@group(0) @binding(3) var<storage, read_write> means: array<vec2<f32>>; // of gradients and of their squares

const SHARES = 8u;
var<workgroup> sums: array<f32, 256>;

// A workgroup for each row of weights: a column for each weight, and each eighth of the samples by itself at first.
@compute @workgroup_size(32, 8)
fn learn(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let row = group.y;
    // A gradient is a product of one number of the row and one of each of its weights.
    var shared_at = row;
    var own_at = ERROR_1;
    if row >= SECOND {
        shared_at = select(ACTIVE_1 + row - SECOND, BIAS, row == SECOND_BIAS);
        own_at = ERROR_2;
    }
    if row == ANSWER {
        shared_at = ERROR;
        own_at = ACTIVE_2;
    }
    let samples = arrayLength(&passed) / KEPT;
    var sum = 0.0;
    for (var sample = local.y; sample < samples; sample += SHARES) {
        sum += passed[sample * KEPT + shared_at] * passed[sample * KEPT + own_at + local.x];
    }
    sums[index] = sum;
    workgroupBarrier();
    if local.y > 0u || row >= ROWS {
        return;
    }
    for (var share = 1u; share < SHARES; share++) {
        sum += sums[share * UNITS + local.x];
    }
    // Adam: D. Kingma and J. Ba, "A method for stochastic optimization", 2015.
    let gradient = sum / f32(samples);
    let weight = row * UNITS + local.x;
    let mean = mix(vec2(gradient, gradient * gradient), means[weight], vec2(0.9, 0.999));
    means[weight] = mean;
    moved[weight] -= step.rate * (mean.x / step.mean_lack) / (sqrt(mean.y / step.square_lack) + 1e-8);
}
