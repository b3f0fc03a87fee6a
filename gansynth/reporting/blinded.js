"use strict";

// Returns Wilson's interval (1927) of a binomial share, as [low, high].
function wilson(right, count, z) {
  const share = right / count;
  const middle = share + (z * z) / (2 * count);
  const reach = z * Math.sqrt((share * (1 - share) + (z * z) / (4 * count)) / count);
  const scale = 1 + (z * z) / count;
  return [Math.max(0, (middle - reach) / scale), Math.min(1, (middle + reach) / scale)];
}

// Returns what the answers come to; each holds `truth` and `answer`, 'real' or 'synthetic'.
function assess(answers, z) {
  const right = answers.filter((one) => one.answer === one.truth).length;
  const calledReal = (truth) => {
    const those = answers.filter((one) => one.truth === truth);
    return { count: those.length, calledReal: those.filter((one) => one.answer === "real").length };
  };
  return {
    count: answers.length,
    right,
    interval: wilson(right, answers.length, z),
    real: calledReal("real"),
    synthetic: calledReal("synthetic"),
  };
}

// Returns the result as sentences.
function tell(found, coverage) {
  const percent = (share) => `${(100 * share).toFixed(0)}\u00a0%`;
  const [low, high] = found.interval;
  const lines = [
    `${found.right} of ${found.count} right: ${percent(found.right / found.count)}` +
      ` (${percent(coverage)} interval ${percent(low)} to ${percent(high)}; guessing gives ${percent(0.5)}).`,
  ];
  if (low > 0.5) lines.push("You could tell synthetic images from real ones.");
  else if (high < 0.5) lines.push("You could tell them apart, and took one kind for the other.");
  else lines.push("These answers do not show that you can tell synthetic images from real ones.");
  for (const kind of ["real", "synthetic"]) {
    lines.push(`${found[kind].calledReal} of ${found[kind].count} ${kind} images were called real.`);
  }
  return lines;
}

// Returns the answers as CSV (RFC 4180), one row each. What a spreadsheet would take for a formula gets an apostrophe.
function toCsv(answers) {
  const harmless = (text) => (/^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text);
  const cell = (value) => `"${harmless(String(value)).replaceAll('"', '""')}"`;
  const columns = ["question", "class_name", "truth", "answer", "seconds"];
  return [columns, ...answers.map((one) => columns.map((name) => one[name]))]
    .map((row) => row.map(cell).join(",") + "\r\n")
    .join("");
}

function decode(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function run(page) {
  const part = (id) => page.getElementById(id);
  const data = decode(part("data").textContent);
  const answers = [];
  let shownAt = performance.now();
  let finished = false;

  function show() {
    finished = answers.length === data.questions.length;
    if (finished) return finish();
    const question = data.questions[answers.length];
    part("image").src = question.image;
    part("image").alt = `Image ${answers.length + 1}, of class ${question.class_name}`;
    part("class").textContent = question.class_name;
    part("progress").textContent = `${answers.length + 1} of ${data.questions.length}`;
    part("bar").value = answers.length;
    part("back").disabled = part("stop").disabled = answers.length === 0;
    shownAt = performance.now();
  }

  function answer(word) {
    if (finished) return;
    const { class_name, truth } = data.questions[answers.length];
    const seconds = ((performance.now() - shownAt) / 1000).toFixed(2);
    answers.push({ question: answers.length + 1, class_name, truth, answer: word, seconds });
    show();
  }

  function back() {
    if (finished || answers.length === 0) return;
    answers.pop();
    show();
  }

  function finish() {
    if (answers.length === 0) return;
    finished = true;
    part("questions").hidden = true;
    part("result").hidden = false;
    part("told").replaceChildren(
      ...tell(assess(answers, data.z), data.coverage).map((line) => {
        const item = page.createElement("li");
        item.textContent = line;
        return item;
      }),
    );
    part("save").href = URL.createObjectURL(new Blob([toCsv(answers)], { type: "text/csv" }));
    part("save").download = `real-or-synthetic_${data.study}.csv`;
    part("save").focus();
  }

  const keys = { r: () => answer("real"), s: () => answer("synthetic"), Backspace: back, Escape: finish };
  page.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act && !finished) {
      event.preventDefault();
      act();
    }
  });
  part("real").addEventListener("click", () => answer("real"));
  part("synthetic").addEventListener("click", () => answer("synthetic"));
  part("back").addEventListener("click", back);
  part("stop").addEventListener("click", finish);
  show();
}

if (typeof document !== "undefined") run(document);
