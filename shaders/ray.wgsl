// One more path of light for each pixel of a picture of spheres.
//
// Random numbers are hashed from the pixel, the sample and the seed, so that each device traces the same paths whatever part
// of the picture it has.

struct Camera {
    width: u32,
    height: u32,
    sample: u32,
    seed: u32,
    count: u32,   // of spheres
    furnace: u32, // not zero: the sky is as bright everywhere; one: and no surface takes any light
}

struct Sphere {
    centre: vec3<f32>,
    radius: f32,
    colour: vec3<f32>, // the part of the light that it gives back
    surface: f32,      // chalk at 0, glass at 1, and metal above, as rough as its number less 2
}

@group(0) @binding(0) var<uniform> camera: Camera;
@group(0) @binding(1) var<storage, read> spheres: array<Sphere>;
// The mean of the light that came along all paths of a pixel.
@group(0) @binding(2) var<storage, read_write> light: array<vec4<f32>>;

const FAR = 1e4;
const NEAR = 1e-3;
const BOUNCES = 20;
const TAU = 6.2831853;

var<private> random_state: u32;

// PCG-RXS-M-XS (O'Neill 2014; as a hash, Jarzynski and Olano 2020).
fn hash(value: u32) -> u32 {
    let state = value * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

// The first numbers of the paths of a pixel, by which light it sees first, fill their range evenly: each goes on by a step of
// its own from a place of the pixel's own (Roberts 2018, in four dimensions).
const EVEN = array<u32, 4>(3679390609u, 3152041523u, 2700274805u, 2313257605u);
var<private> randoms: u32;

fn random() -> f32 {
    random_state = hash(random_state);
    var number = random_state;
    if randoms < 4u {
        number += camera.sample * EVEN[randoms];
    }
    if randoms == 3u {
        random_state = hash(random_state + camera.sample);
    }
    randoms++;
    return f32(number >> 8u) / 16777216.0;
}

fn random_direction() -> vec3<f32> {
    let z = 2.0 * random() - 1.0;
    let angle = TAU * random();
    return vec3<f32>(sqrt(max(1.0 - z * z, 0.0)) * vec2<f32>(cos(angle), sin(angle)), z);
}

// Tiles, which run into each other far away.
fn ground(place: vec2<f32>) -> vec3<f32> {
    let tile = vec2<i32>(floor(1.25 * place));
    let contrast = select(-0.25, 0.25, ((tile.x + tile.y) & 1) == 0) * exp(-0.01 * dot(place, place));
    return vec3<f32>(0.42, 0.38, 0.34) * (1.0 + contrast);
}

fn sky(direction: vec3<f32>) -> vec3<f32> {
    let blue = mix(vec3<f32>(0.62, 0.70, 0.80), vec3<f32>(0.10, 0.24, 0.60), sqrt(max(direction.y, 0.0)));
    let sun = max(dot(direction, normalize(vec3<f32>(-0.7, 0.6, 0.4))), 0.0);
    return blue + 3.2 * pow(sun, 8.0) * vec3<f32>(1.0, 0.78, 0.50);
}

@compute @workgroup_size(64, 4)
fn trace(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= camera.width || id.y >= camera.height {
        return;
    }
    let pixel = id.y * camera.width + id.x;
    random_state = hash(pixel + hash(camera.seed));

    // From above the ground towards the middle of the spheres.
    let size = f32(camera.height);
    let across = (f32(id.x) + random() - 0.5 * f32(camera.width)) / size;
    let up = (0.5 * size - f32(id.y) - random()) / size;
    let forward = normalize(vec3<f32>(0.0, -0.31, -1.0));
    let right = vec3<f32>(1.0, 0.0, 0.0);
    var origin = vec3<f32>(0.0, 3.0, 7.0);
    var direction = normalize(forward + 0.80 * (across * right + up * cross(right, forward)));

    var keeps = vec3<f32>(1.0);
    var found = vec3<f32>(0.0);
    for (var bounce = 0; bounce < BOUNCES; bounce++) {
        // A path that keeps little light ends by chance, and those that don't count for it too.
        let lasts = max(keeps.x, max(keeps.y, keeps.z));
        if bounce > 3 && random() > lasts {
            break;
        }
        keeps /= select(1.0, lasts, bounce > 3);
        // The ground, but for a ball alone.
        var nearest = FAR;
        var met = camera.count;
        if direction.y < 0.0 && camera.furnace != 2u {
            nearest = min(-origin.y / direction.y, FAR);
        }
        for (var i = 0u; i < camera.count; i++) {
            let apart = spheres[i].centre - origin;
            let along = dot(apart, direction);
            let square = along * along - dot(apart, apart) + spheres[i].radius * spheres[i].radius;
            let reach = sqrt(max(square, 0.0));
            let distance = select(along - reach, along + reach, along - reach < NEAR);
            if square > 0.0 && distance > NEAR && distance < nearest {
                nearest = distance;
                met = i;
            }
        }
        if nearest >= FAR {
            found = keeps * select(vec3<f32>(1.0), sky(direction), camera.furnace == 0u);
            break;
        }
        origin += nearest * direction;
        var outward = vec3<f32>(0.0, 1.0, 0.0);
        var colour = ground(origin.xz);
        var surface = 0.0;
        if met < camera.count {
            let sphere = spheres[met];
            outward = (origin - sphere.centre) / sphere.radius;
            colour = sphere.colour;
            surface = sphere.surface;
        } else {
            origin.y = 0.0;
        }
        // Where glass is left, the normal is turned against the ray.
        let leaves = dot(outward, direction) > 0.0;
        let normal = select(outward, -outward, leaves);
        let facing = -dot(normal, direction);
        if camera.furnace != 1u {
            keeps *= colour;
        }
        if surface < 0.5 {
            direction = normalize(normal + 0.999 * random_direction());
        } else if surface < 1.5 {
            // What glass reflects, by Schlick's approximation; the rest is refracted.
            let ratio = select(1.0 / 1.5, 1.5, leaves);
            let square = 1.0 - ratio * ratio * (1.0 - facing * facing);
            let inside = select(facing, sqrt(max(square, 0.0)), leaves);
            let reflects = 0.04 + 0.96 * pow(1.0 - inside, 5.0);
            if square <= 0.0 || random() < reflects {
                direction = normalize(direction + 2.0 * facing * normal);
            } else {
                direction = normalize(ratio * direction + (ratio * facing - sqrt(square)) * normal);
            }
        } else {
            let shiny = direction + 2.0 * facing * normal;
            direction = normalize(shiny + (surface - 2.0) * random_direction());
            let below = dot(direction, normal);
            // What would go into a rough metal comes out of it as on a mirror.
            direction = select(direction, direction - 2.0 * below * normal, below < 0.0);
        }
    }
    light[pixel] = mix(light[pixel], vec4<f32>(found, 1.0), 1.0 / f32(camera.sample + 1u));
}
