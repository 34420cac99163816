// One step of heat flow on a plate whose edge keeps its temperature: each point reads its neighbours.

struct Plate {
    width: u32,
    height: u32,
    flow: f32,
}

@group(0) @binding(0) var<uniform> plate: Plate;
@group(0) @binding(1) var<storage, read> old: array<f32>;
@group(0) @binding(2) var<storage, read_write> next: array<f32>;

@compute @workgroup_size(16, 16)
fn heat(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= plate.width || id.y >= plate.height {
        return;
    }
    let i = id.y * plate.width + id.x;
    let here = old[i];
    if id.x == 0u || id.y == 0u || id.x == plate.width - 1u || id.y == plate.height - 1u {
        next[i] = here;
        return;
    }
    let around = old[i - 1u] + old[i + 1u] + old[i - plate.width] + old[i + plate.width];
    next[i] = here + plate.flow * (around - 4.0 * here);
}
