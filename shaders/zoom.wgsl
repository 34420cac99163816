// The Mandelbrot set at any magnification, in single precision, by perturbation.
//
// The orbit of the view's centre is computed beforehand in higher precision; a pixel follows how far its own orbit is from
// it: with Z the centre's orbit and d the distance, d' = 2 Z d + d^2 + d0. Where the pixel's orbit comes nearer to zero than
// to the centre's, it goes on beside the centre's orbit from its start (Zhuoran 2021), so that no digits are lost.

struct View {
    width: u32,
    height: u32,
    limit: u32,   // of steps
    points: u32,  // of the centre's orbit, the first of which is zero
    pixel: f32,   // the side of a pixel in the plane
}

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> orbit: array<vec2<f32>>;
// Steps to leave the circle of radius 16, or the limit, and the same without stairs.
@group(0) @binding(2) var<storage, read_write> steps: array<u32>;
@group(0) @binding(3) var<storage, read_write> smoothed: array<f32>;

@compute @workgroup_size(16, 16)
fn zoom(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= view.width || id.y >= view.height {
        return;
    }
    let here = vec2<f32>(vec2<u32>(id.x, id.y)) + 0.5 - 0.5 * vec2<f32>(vec2<u32>(view.width, view.height));
    let start = here * view.pixel * vec2<f32>(1.0, -1.0);
    var apart = vec2<f32>(0.0);
    var z = vec2<f32>(0.0);
    var point = 0u;
    var n = 0u;
    while n < view.limit && dot(z, z) <= 256.0 {
        let centre = 2.0 * orbit[point] + apart;
        apart = vec2<f32>(centre.x * apart.x - centre.y * apart.y, centre.x * apart.y + centre.y * apart.x) + start;
        point++;
        z = orbit[point] + apart;
        if dot(z, z) < dot(apart, apart) || point == view.points - 1u {
            apart = z;
            point = 0u;
        }
        n++;
    }
    let i = id.y * view.width + id.x;
    steps[i] = n;
    // The radius is squared at each step, so that its logarithm says which part of a step was left.
    smoothed[i] = f32(n) + 1.0 - log2(0.125 * log2(max(dot(z, z), 256.0)));
}
