// Running medians: each element becomes the middle one of the seven around it. At the ends the signal goes on as it is
// there.

@group(0) @binding(0) var<storage, read> noisy: array<f32>;
@group(0) @binding(1) var<storage, read_write> smoothed: array<f32>;

@compute @workgroup_size(64)
fn medians(@builtin(global_invocation_id) id: vec3<u32>) {
    let last = arrayLength(&noisy) - 1u;
    if id.x > last {
        return;
    }
    var sorted: array<f32, 7>;
    for (var i = 0u; i < 7u; i++) {
        let value = noisy[clamp(i32(id.x + i) - 3, 0, i32(last))];
        var place = i;
        while place > 0u && sorted[place - 1u] > value {
            sorted[place] = sorted[place - 1u];
            place--;
        }
        sorted[place] = value;
    }
    smoothed[id.x] = sorted[3];
}
