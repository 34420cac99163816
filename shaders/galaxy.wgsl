// Gravity between all pairs of bodies, and the two halves of a leapfrog step.
//
// Positions carry the mass in w. Distances are softened (Plummer): a = sum m d / (|d|^2 + e^2)^(3/2), with G = 1.

struct Step {
    seconds: f32,
    softening: f32,
}

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> sources: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> here: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> velocity: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> position: array<vec4<f32>>;

@compute @workgroup_size(64)
fn kick(@builtin(global_invocation_id) id: vec3<u32>) {
    let count = arrayLength(&sources);
    if id.x >= count {
        return;
    }
    let place = here[id.x].xyz;
    let softening = step.softening * step.softening;
    var pull = vec3<f32>(0.0);
    for (var j = 0u; j < count; j++) {
        let other = sources[j];
        let apart = other.xyz - place;
        let near = inverseSqrt(dot(apart, apart) + softening);
        pull += apart * (other.w * near * near * near);
    }
    velocity[id.x] += vec4<f32>(pull * step.seconds, 0.0);
}

@compute @workgroup_size(64)
fn drift(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&position) {
        position[id.x] += velocity[id.x] * step.seconds;
    }
}
