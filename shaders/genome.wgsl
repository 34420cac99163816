// Aligns reads with the places of a genome where they may come from: local alignment with affine gaps, one pair an
// invocation (T. Smith and M. Waterman 1981, O. Gotoh 1982). Bases take two bits, sixteen a word.

const READ = 128u; // bases of a read
const WINDOW = 192u; // bases of the place
const READ_WORDS = READ / 16u;
const WINDOW_WORDS = WINDOW / 16u;

const SAME = 2;
const OTHER = -3;
const OPEN = -5; // the first base of a gap
const EXTEND = -1; // each further one

struct Best {
    score: i32,
    end: u32, // where in the window the alignment ends
}

@group(0) @binding(0) var<storage, read> reads: array<u32>;
@group(0) @binding(1) var<storage, read> windows: array<u32>;
@group(0) @binding(2) var<storage, read_write> best: array<Best>;

@compute @workgroup_size(64)
fn align(@builtin(global_invocation_id) id: vec3<u32>) {
    let pair = id.x;
    if pair >= arrayLength(&best) || pair >= arrayLength(&reads) / READ_WORDS || pair >= arrayLength(&windows) / WINDOW_WORDS {
        return;
    }
    // The column of the last base of the window: the best score that ends at each base of the read, and the best of
    // those that end with a gap in the read.
    var scores: array<i32, READ>;
    var gaps: array<i32, READ>;
    for (var i = 0u; i < READ; i++) {
        gaps[i] = OPEN;
    }
    var most = 0;
    var end = 0u;
    for (var j = 0u; j < WINDOW; j++) {
        let there = windows[pair * WINDOW_WORDS + j / 16u] >> (j % 16u * 2u);
        var diagonal = 0;
        var above = 0;
        var gap = OPEN; // in the window
        for (var word = 0u; word < READ_WORDS; word++) {
            var bases = reads[pair * READ_WORDS + word] ^ (there & 3u) * 0x55555555u;
            for (var base = 0u; base < 16u; base++) {
                let i = word * 16u + base;
                let old = scores[i];
                let aside = max(gaps[i] + EXTEND, old + OPEN);
                gap = max(gap + EXTEND, above + OPEN);
                let met = diagonal + select(OTHER, SAME, (bases & 3u) == 0u);
                let score = max(max(met, 0), max(aside, gap));
                bases >>= 2u;
                gaps[i] = aside;
                scores[i] = score;
                diagonal = old;
                above = score;
                if score > most {
                    most = score;
                    end = j;
                }
            }
        }
    }
    best[pair] = Best(most, end);
}
