// The sum of each row of 4096 elements: 16 for each invocation, then a tree in workgroup memory. Grid: one workgroup of
// 256 in x, one for each row in y.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
var<workgroup> sh: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_id) l: vec3<u32>) {
    let base = wg.y * 4096u + l.x;
    var s = 0.0;
    for (var k = 0u; k < 16u; k++) {
        s += x[base + k * 256u];
    }
    sh[l.x] = s;
    workgroupBarrier();
    for (var d = 128u; d > 0u; d >>= 1u) {
        if l.x < d { sh[l.x] += sh[l.x + d]; }
        workgroupBarrier();
    }
    if l.x == 0u { sums[wg.y] = sh[0]; }
}
