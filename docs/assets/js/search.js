// The theme's search worker, but what is named exactly as typed comes first, however it is spelt.
const plain = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
const names = new Map(); // address -> names
let asked = "";
addEventListener("message", ({ data: { type, data } }) => {
 if (type === 2) asked = plain(data);
 else for (const { location, title, tags = [] } of data.docs)
  if (!location.includes("#")) names.set(location, [title, ...tags].map(plain));
});
const post = self.postMessage.bind(self);
self.postMessage = (message) => {
 const best = (group) => group.find((item) => names.get(item.location)?.includes(asked));
 const items = message.data?.items || [];
 items.sort((a, b) => !best(a) - !best(b));
 for (const group of items) if (best(group)) best(group).score += 1e6; // where Enter leads
 post(message);
};
importScripts(`../javascripts/workers/${location.search.slice(1)}`);
