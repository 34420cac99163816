// Gaussian blur of 61 taps, separable: along rows, then along columns; what is outside is the nearest pixel.
// Grid: (width/16, height/16) workgroups of 16x16, twice.
struct P { width: u32, height: u32 }
@group(0) @binding(0) var<uniform> p: P;
@group(0) @binding(1) var<storage, read> weights: array<f32, 61>;
@group(0) @binding(2) var<storage, read> image: array<f32>;
@group(0) @binding(3) var<storage, read_write> blurred: array<f32>;

const RADIUS = 30;

@compute @workgroup_size(16, 16)
fn rows(@builtin(global_invocation_id) g: vec3<u32>) {
    if g.x >= p.width || g.y >= p.height { return; }
    let last = i32(p.width) - 1;
    var sum = 0.0;
    for (var k = 0; k <= 2 * RADIUS; k++) {
        let x = u32(clamp(i32(g.x) + k - RADIUS, 0, last));
        sum += weights[k] * image[g.y * p.width + x];
    }
    blurred[g.y * p.width + g.x] = sum;
}

@compute @workgroup_size(16, 16)
fn columns(@builtin(global_invocation_id) g: vec3<u32>) {
    if g.x >= p.width || g.y >= p.height { return; }
    let last = i32(p.height) - 1;
    var sum = 0.0;
    for (var k = 0; k <= 2 * RADIUS; k++) {
        let y = u32(clamp(i32(g.y) + k - RADIUS, 0, last));
        sum += weights[k] * image[y * p.width + g.x];
    }
    blurred[g.y * p.width + g.x] = sum;
}
