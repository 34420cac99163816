// Spheres over a chequered floor: a ray for each pixel, a shadow ray where it meets something, and up to six mirrorings.
// Sky takes one ray, a pixel between two spheres a dozen. Grid: (width/16, height/16) workgroups of 16x16.
struct P { width: u32, height: u32, spheres: u32 }
// Centre and radius; mirrors is how much of the light is mirrored.
struct Sphere { place: vec4<f32>, colour: vec3<f32>, mirrors: f32 }
@group(0) @binding(0) var<uniform> p: P;
@group(0) @binding(1) var<storage, read> spheres: array<Sphere>;
// The colour, and how many rays it took.
@group(0) @binding(2) var<storage, read_write> image: array<vec4<f32>>;

const FAR = 1e30;
const NEAR = 1e-3;
const FLOOR = -1i;
const NOTHING = -2i;
const LIGHT = vec3<f32>(0.48, 0.8, -0.36);

struct Hit { at: f32, what: i32 }

fn nearest(origin: vec3<f32>, way: vec3<f32>) -> Hit {
    var hit = Hit(FAR, NOTHING);
    if way.y < 0.0 && -origin.y / way.y > NEAR { hit = Hit(-origin.y / way.y, FLOOR); }
    for (var i = 0u; i < p.spheres; i++) {
        let sphere = spheres[i].place;
        let apart = origin - sphere.xyz;
        let b = dot(apart, way);
        let inside = b * b - dot(apart, apart) + sphere.w * sphere.w;
        if inside > 0.0 {
            let at = -b - sqrt(inside);
            if at > NEAR && at < hit.at { hit = Hit(at, i32(i)); }
        }
    }
    return hit;
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) g: vec3<u32>) {
    if g.x >= p.width || g.y >= p.height { return; }
    let x = (f32(g.x) + 0.5 - 0.5 * f32(p.width)) / f32(p.width);
    let y = (0.5 * f32(p.height) - f32(g.y) - 0.5) / f32(p.height);
    var origin = vec3<f32>(0.0, 1.5, -6.0);
    var way = normalize(vec3<f32>(1.4 * x, y, 1.0));
    var colour = vec3<f32>(0.0);
    var weight = 1.0;
    var rays = 0.0;
    for (var bounce = 0; bounce < 7; bounce++) {
        let hit = nearest(origin, way);
        rays += 1.0;
        if hit.what == NOTHING {
            colour += weight * mix(vec3<f32>(0.9, 0.95, 1.0), vec3<f32>(0.2, 0.4, 0.9), max(way.y, 0.0));
            break;
        }
        let place = origin + way * hit.at;
        var out = vec3<f32>(0.0, 1.0, 0.0);
        var own = vec3<f32>(0.8);
        var mirrors = 0.0;
        if hit.what == FLOOR {
            if (i32(floor(place.x)) + i32(floor(place.z))) % 2 != 0 { own = vec3<f32>(0.3); }
        } else {
            let sphere = spheres[hit.what];
            out = (place - sphere.place.xyz) / sphere.place.w;
            own = sphere.colour;
            mirrors = sphere.mirrors;
        }
        let facing = max(dot(out, LIGHT), 0.0);
        var lit = 0.1;
        if facing > 0.0 {
            rays += 1.0;
            if nearest(place, LIGHT).what == NOTHING { lit += 0.9 * facing; }
        }
        colour += weight * (1.0 - mirrors) * lit * own;
        weight *= mirrors;
        if weight < 0.02 { break; }
        origin = place;
        way -= 2.0 * dot(way, out) * out;
    }
    image[g.y * p.width + g.x] = vec4<f32>(colour, rays);
}
