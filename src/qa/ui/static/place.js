// Which conversation the page shows is in its address (?c=…): a reload shows it again, and a
// server that was restarted learns it from the next question.
window.qaPage = {
  documents: null, // ids of the documents to ask; null is all
  conversation: () => new URL(location).searchParams.get("c") || "",
  now: () => ({ conversation: qaPage.conversation(), documents: qaPage.documents }),
  show(id, gone = false) {
    const from = qaPage.conversation();
    if (id === from) return;
    const address = new URL(location);
    if (id) address.searchParams.set("c", id);
    else address.searchParams.delete("c");
    // A new conversation gets its id with the first question: that is no step to go back from. One
    // that is gone is none to go back to.
    history[from && !gone ? "pushState" : "replaceState"](history.state, "", address);
  },
};
