// select store, count(*), sum(cents), min(cents), max(cents) from sales group by store
//
// Each workgroup aggregates its rows in its own memory first, so that few atomic operations reach memory that all share.

const STORES = 512u;
const ROWS = 64u; // of each invocation; so the sums of a workgroup stay below 2^32 for up to 2^18 cents a sale

@group(0) @binding(0) var<storage, read> stores: array<u32>;
@group(0) @binding(1) var<storage, read> cents: array<u32>;
// For each store the count, and the sum in two parts: 16 bits, and what is above them.
@group(0) @binding(2) var<storage, read_write> totals: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> least: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> most: array<atomic<u32>>;

var<workgroup> counts: array<atomic<u32>, STORES>;
var<workgroup> sums: array<atomic<u32>, STORES>;
var<workgroup> lows: array<atomic<u32>, STORES>;
var<workgroup> highs: array<atomic<u32>, STORES>;

@compute @workgroup_size(256)
fn aggregate(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    for (var store = local; store < STORES; store += 256u) {
        atomicStore(&lows[store], 0xffffffffu);
    }
    workgroupBarrier();
    for (var k = 0u; k < ROWS; k++) {
        let row = (group.x * ROWS + k) * 256u + local;
        if row < arrayLength(&stores) && row < arrayLength(&cents) {
            let store = stores[row];
            if store < STORES {
                let value = cents[row];
                atomicAdd(&counts[store], 1u);
                atomicAdd(&sums[store], value);
                // Looked at first, because few rows are new extremes.
                if value < atomicLoad(&lows[store]) {
                    atomicMin(&lows[store], value);
                }
                if value > atomicLoad(&highs[store]) {
                    atomicMax(&highs[store], value);
                }
            }
        }
    }
    workgroupBarrier();
    for (var store = local; store < STORES; store += 256u) {
        let count = atomicLoad(&counts[store]);
        if count > 0u {
            let sum = atomicLoad(&sums[store]);
            atomicAdd(&totals[store * 3u], count);
            atomicAdd(&totals[store * 3u + 1u], sum & 0xffffu);
            atomicAdd(&totals[store * 3u + 2u], sum >> 16u);
            atomicMin(&least[store], atomicLoad(&lows[store]));
            atomicMax(&most[store], atomicLoad(&highs[store]));
        }
    }
}
