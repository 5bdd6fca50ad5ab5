// Explorers: a slider chooses which words and which mark of the picture are shown. Nothing is computed here.
for (const explorer of document.querySelectorAll(".ft-explorer")) {
  const sliders = [...explorer.querySelectorAll("input[type=range]")];
  const words = [...explorer.querySelectorAll("[data-state]")];
  const marks = [...explorer.querySelectorAll("[id*='-mark-']")];

  // The states are numbered as digits count: the last slider moves fastest.
  const state = () => sliders.reduce((number, slider) => number * (Number(slider.max) + 1) + Number(slider.value), 0);

  const show = () => {
    for (const slider of sliders) {
      const said = slider.dataset.said.split("|")[slider.value];
      slider.setAttribute("aria-valuetext", said);
      slider.parentElement.querySelector("output").textContent = said;
    }
    words.forEach((text, number) => { text.hidden = number !== state(); });
    marks.forEach((mark, number) => mark.classList.toggle("ft-shown", number === state()));
  };

  sliders.forEach((slider) => slider.addEventListener("input", show));
  explorer.querySelector(".ft-sliders").hidden = false;
  show();
}
