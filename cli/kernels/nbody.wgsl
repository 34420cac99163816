// Gravity between all pairs of bodies, softened; the mass of each is in w.

@group(0) @binding(0) var<uniform> softening: f32;
@group(0) @binding(1) var<storage, read> bodies: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> pulls: array<vec4<f32>>;

@compute @workgroup_size(64)
fn nbody(@builtin(global_invocation_id) id: vec3<u32>) {
    let count = arrayLength(&bodies);
    if id.x >= count || id.x >= arrayLength(&pulls) {
        return;
    }
    let here = bodies[id.x].xyz;
    var pull = vec3<f32>(0.0);
    for (var j = 0u; j < count; j++) {
        let other = bodies[j];
        let apart = other.xyz - here;
        let near = inverseSqrt(dot(apart, apart) + softening);
        pull += apart * (other.w * near * near * near);
    }
    pulls[id.x] = vec4<f32>(pull, 0.0);
}
