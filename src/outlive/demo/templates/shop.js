const at = id => document.getElementById(id);

async function ask(path, method = "GET") {
  try {
    const answer = await fetch(path, { method, cache: "no-store" });
    at("away").hidden = true;
    return answer.ok ? await answer.json() : null;
  } catch {
    at("away").hidden = false;
    return null;
  }
}

function describe(task) {
  if (task.status === "pending" && task.attempts)
    return `Attempt ${task.attempts} failed: ${task.error}. It is tried again.`;
  if (task.status === "interrupted") return "The shop died while this ran, and only you can know whether it may be repeated.";
  const log = task.logs.at(-1)?.replace(/^\S+ /, "") ?? "";
  const note = task.status === "failed" ? task.error : log;
  return task.retries_used && task.status === "success" ? `${note} (retried: ${task.retries_used})` : note;
}

async function showStep(line) {
  const task = await ask(`/tasks/${line.dataset.task}`);
  if (!task) return;
  const status = line.querySelector(".status");
  status.textContent = task.status;
  status.className = `status ${task.status}`;
  line.querySelector("p").textContent = describe(task);
  const again = line.querySelector("button");
  again.hidden = !["failed", "interrupted"].includes(task.status);
  again.onclick = () => ask(`/tasks/${task.task_id}/retry`, "POST");
}

function showThumbnail(image) {
  if (!image.hidden) return;
  image.onload = () => { image.hidden = false; };
  image.src = `${image.dataset.src}?${Date.now()}`;
}

async function showCatalogue(select) {
  const shelf = await ask("/catalogue");
  if (!shelf) return;
  const known = new Set([...select.options].map(option => option.value));
  for (const { sku, title } of shelf.products) if (!known.has(sku)) select.add(new Option(title, sku));
  at("process").textContent = shelf.process;
  at("count").textContent = `${shelf.products.length} on the shelf`;
  at("progress").value = shelf.products.length;
  at("import").disabled = shelf.at_work > 0;
  at("import").textContent = shelf.at_work ? `Importing, ${shelf.at_work} to go` : "Import the catalogue";
}

async function look() {
  await Promise.all([...document.querySelectorAll("[data-task]")].map(showStep));
  if (at("thumbnail")) showThumbnail(at("thumbnail"));
  if (at("products")) await showCatalogue(at("products"));
  setTimeout(look, 700);
}

look();
