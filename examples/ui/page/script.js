"use strict";
const $ = id => document.getElementById(id);
const rows = []; // of the table, by the places of their files
const mostRows = 500; // the total counts all files
const finished = new Set();
let lastLine = 0, action = "";

function size(bytes) {
	const units = ["bytes", "kB", "MB", "GB"];
	const i = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
	return (bytes / 1000 ** i).toFixed(i ? 1 : 0) + " " + units[i];
}

function showFile(f) {
	if (f.Sum || f.Error) finished.add(f.N); else finished.delete(f.N);
	if (f.N >= mostRows) return;
	if (!rows[f.N]) {
		rows[f.N] = $("row").content.cloneNode(true).firstChild;
		$("files").append(rows[f.N]);
	}
	const [name, length, read, sum] = rows[f.N].cells, bar = read.firstChild;
	name.textContent = f.Name;
	length.textContent = size(f.Size);
	bar.max = f.Size || 1;
	bar.value = f.Sum ? bar.max : f.Done;
	bar.setAttribute("aria-label", f.Name);
	sum.textContent = sum.title = f.Sum || f.Error;
	sum.classList.toggle("failed", f.Error != "");
}

function showLine(l) {
	if (l.N <= lastLine) return; // it comes once more behind a lost connection
	lastLine = l.N;
	const log = $("log"), atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
	log.append(Object.assign(document.createElement("li"), {textContent: l.Text}));
	if (log.children.length > 200) log.firstChild.remove();
	if (atEnd) log.scrollTop = log.scrollHeight;
}

function showSpeed(v) {
	const chart = v.Chart || [], top = Math.max(1, ...chart), last = chart.slice(-4);
	const line = chart.map((speed, i) => (120 - chart.length + i) + " " + (98 - 96 * speed / top)).join(" L");
	$("chart").querySelector(".line").setAttribute("d", line && "M" + line);
	$("chart").querySelector(".area").setAttribute("d", line && `M${120 - chart.length} 100 L${line} L119 100 Z`);
	const speed = last.reduce((a, b) => a + b, 0) / 4;
	const left = speed ? `, ${Math.ceil((v.Total - v.Done) / speed)} s left` : "";
	$("speed").textContent = v.Phase == "running" ? size(speed) + "/s" + left : "";
	$("top").textContent = line && `at most ${size(top)}/s`;
}

// showButtons gives them the meanings that they have now.
function showButtons(v) {
	action = {running: "pause", paused: "resume"}[v.Phase] || "start";
	$("go").firstChild.textContent = {pause: "Pause", resume: "Go on", start: "Start again"}[action];
	$("go").disabled = v.Ended != "";
	if (action == "start" && document.activeElement == $("cancel")) $("go").focus();
	$("cancel").disabled = v.Ended != "" || action == "start";
}

function show(v) {
	for (const f of v.Files || []) showFile(f);
	for (const l of v.Lines || []) showLine(l);
	if (v.Ended && (v.Phase == "running" || v.Phase == "paused")) v.Phase = "gone";
	const part = v.Total ? v.Done / v.Total : v.Phase == "done" ? 1 : 0;
	const percent = Math.floor(100 * part) + " %";
	document.title = percent + " – Hashing";
	$("folder").textContent = v.Folder;
	$("phase").textContent = document.body.dataset.phase = v.Phase;
	$("percent").textContent = percent;
	$("amount").textContent = `${size(v.Done)} of ${size(v.Total)}`;
	$("total").value = part;
	showSpeed(v);
	showButtons(v);
	$("count").textContent = finished.size + " done" + (rows.length == mostRows ? `; the first ${mostRows} are shown` : "");
}

function banner(text) {
	$("banner").textContent = text;
	$("banner").hidden = text == "";
}

function connect() {
	const events = new EventSource("events");
	events.onmessage = e => {
		const v = JSON.parse(e.data);
		if (v.Phase) show(v);
		banner(v.Ended);
		if (v.Ended) events.close();
	};
	events.onerror = () => {
		events.close();
		banner("Connection lost, trying again …");
		setTimeout(connect, 500);
	};
}

async function press(action) {
	$("refusal").textContent = "";
	try {
		const answer = await fetch(action, {method: "POST"});
		if (!answer.ok) $("refusal").textContent = await answer.text();
	} catch {
		$("refusal").textContent = "There is no connection.";
	}
}

$("go").onclick = () => press(action);
$("cancel").onclick = () => press("cancel");
document.onkeydown = e => {
	if (e.repeat || e.ctrlKey || e.altKey || e.metaKey || e.shiftKey) return;
	if (e.key == "Escape") $("cancel").click();
	// A button that has the focus, and what can be scrolled, take Space themselves.
	if (e.key == " " && !e.target.closest("button, [tabindex]")) {
		e.preventDefault();
		$("go").click();
	}
};
connect();
