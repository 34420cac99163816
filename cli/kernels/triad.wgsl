// a = b + s c (McCalpin, "STREAM"), four numbers an invocation, and what fills b and c where the triad will read them.

@group(0) @binding(0) var<uniform> s: f32;
@group(0) @binding(1) var<storage, read_write> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<f32>>;

@compute @workgroup_size(256)
fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&b) && id.x < arrayLength(&c) {
        b[id.x] = vec4<f32>(f32(id.x & 1023u));
        c[id.x] = vec4<f32>(s);
    }
}

@compute @workgroup_size(256)
fn triad(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&a) && id.x < arrayLength(&b) && id.x < arrayLength(&c) {
        a[id.x] = b[id.x] + s * c[id.x];
    }
}
